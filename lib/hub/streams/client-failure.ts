import { HubException } from "../../errors/index.js";

/** A client's own text: it answered a call of ours with an error, or ended a stream of its own with one. */
export class ClientFailure extends HubException {}
