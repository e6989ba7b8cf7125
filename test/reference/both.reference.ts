import { AspNetSubject } from "./aspnet.js";
import { hubContract } from "./contract/contract.js";
import { TrunklineSubject } from "./trunkline.js";

hubContract(new AspNetSubject(process.env["REFERENCE_HUB"] ?? ""));
hubContract(new TrunklineSubject());
