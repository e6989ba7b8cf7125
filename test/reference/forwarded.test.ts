import { hubContract } from "./contract/contract.js";
import { FORWARDED } from "./forwarded.js";

for (const subject of FORWARDED) hubContract(subject);
