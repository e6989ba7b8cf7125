import { hubContract } from "./contract/contract.js";
import { TrunklineSubject } from "./trunkline.js";

hubContract(new TrunklineSubject());
