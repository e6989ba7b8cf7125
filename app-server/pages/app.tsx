import type { ReactNode } from "react";
import { ConnectionBar } from "./connection-bar.js";
import { ChatRoom } from "./demos/chat-room.js";
import { HelloWorld } from "./demos/hello-world.js";
import { LiveChart } from "./demos/live-chart.js";
import { SimpleList } from "./demos/simple-list.js";

interface Page {
	readonly path: string;
	readonly title: string;
	readonly about: string;
	readonly content: () => ReactNode;
}

const DEMOS: readonly Page[] = [
	{
		path: "/hello-world",
		title: "Hello World",
		about: "Two-way binding: type a name and the server greets it. The server's clock is pushed each second.",
		content: HelloWorld,
	},
	{
		path: "/simple-list",
		title: "Simple List",
		about: "Add, change and remove: only the row that changed travels.",
		content: SimpleList,
	},
	{
		path: "/live-chart",
		title: "Live Chart",
		about: "Server push: new data each second, drawn as it comes.",
		content: LiveChart,
	},
	{
		path: "/chat-room",
		title: "Chat Room",
		about: "One view model shared by everybody, whichever proxy they are connected through.",
		content: ChatRoom,
	},
];

const HOME: Page = {
	path: "/",
	title: "Trunkline",
	about: "View models on a Node server, seen through the stock dotNetify client. Pick a page:",
	content: Index,
};

function Index() {
	return (
		<ul className="cards">
			{DEMOS.map((page) => (
				<li key={page.path}>
					<a href={page.path}>{page.title}</a>
					<p>{page.about}</p>
				</li>
			))}
		</ul>
	);
}

function Navigation({ path }: { readonly path: string }) {
	return (
		<nav aria-label="Pages">
			{[HOME, ...DEMOS].map((page) => (
				<a key={page.path} href={page.path} aria-current={page.path === path ? "page" : undefined}>
					{page === HOME ? "Home" : page.title}
				</a>
			))}
		</nav>
	);
}

/** The page that stands at `path`, with what all pages have. */
export function App({ path }: { readonly path: string }) {
	const page = DEMOS.find((demo) => demo.path === path) ?? HOME;
	return (
		<>
			<title>{page === HOME ? HOME.title : `${page.title} · ${HOME.title}`}</title>
			<header>
				<Navigation path={page.path} />
				<ConnectionBar />
			</header>
			<main>
				<h1>{page.title}</h1>
				<p className="about">{page.about}</p>
				<page.content />
			</main>
		</>
	);
}
