import assert from "node:assert/strict";
import fc from "fast-check";
import { Transmissions } from "../../../lib/forwarding/session/transmissions.js";

describe("forwarding/session/transmissions", () => {
	it("names those that are under way by their place on the link", () => {
		fc.assert(
			fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 60 }), (steps) => {
				const transmissions = new Transmissions();
				for (const [pushed, counted] of steps) {
					for (let at = 0; at < pushed; at++) {
						const place = transmissions.sent;
						transmissions.push(place * 2, place * 3, place / 4);
					}
					transmissions.countTo(Math.min(transmissions.sent, transmissions.counted + counted));
					for (let place = transmissions.counted; place < transmissions.sent; place++) {
						assert.equal(transmissions.seqAt(place), place * 2);
						assert.equal(transmissions.orderAt(place), place * 3);
						assert.equal(transmissions.timeAt(place), place / 4);
					}
					assert.equal(transmissions.length, transmissions.sent - transmissions.counted);
				}
			}),
		);
	});
});
