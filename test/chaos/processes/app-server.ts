// An app server of a stage: writes down every message that comes, before it does anything else, and numbers all that it sends.
import { acceptLinks } from "../../../lib/forwarding/index.js";
import { createServer } from "../../../lib/index.js";
import { keepBooks, run, settingsOf } from "./asked.js";
import { JournalWriter } from "./journal.js";
import { plainHub } from "./plain-hub.js";
import { type AppSettings, SECRET } from "./settings.js";
import { tallyHub } from "./tally-hub.js";
import { viewsHub } from "./views-hub.js";

const settings = settingsOf<AppSettings>();
const journal = new JournalWriter(settings.journal, settings.incarnation);
const HUBS = { plain: plainHub, views: viewsHub, tally: tallyHub };
const hub = HUBS[settings.kind](settings, journal);
keepBooks(hub, journal);
hub.use(acceptLinks({ ...settings.accept, secrets: [SECRET] }));
await run({ hub, server: createServer(), port: settings.port, journal });
