import { type FormEvent, useEffect, useRef, useState } from "react";
import type { ChatMessage, ChatRoomState, ChatUser } from "../../view-models/contracts.js";
import { useViewModel } from "../use-view-model.js";
import { Problem, TextField } from "./fields.js";

const NOTHING_YET: ChatRoomState = { Messages: [], Users: [] };
const KEPT_MESSAGES = 100;

/** Not `crypto.randomUUID`, which browsers offer to secure pages only. */
function newCorrelationId(): string {
	return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
		byte.toString(16).padStart(2, "0"),
	).join("");
}

/** The multicast view model `ChatRoom`: everybody in one room. */
export function ChatRoom() {
	const { state, ready, error, dispatch } = useViewModel("ChatRoom", NOTHING_YET);
	const [name, setName] = useState("");
	const privates = usePrivateMessages(state.PrivateMessage);
	const [correlationId, setCorrelationId] = useState(newCorrelationId);
	const me = state.Users.find((user) => user.CorrelationId === correlationId);
	const missing = ready && me === undefined;

	useEffect(() => {
		// The next connection is another user: the lost one may stay in the room for a while.
		if (!ready) setCorrelationId(newCorrelationId());
	}, [ready]);
	useEffect(() => {
		if (missing) dispatch({ AddUser: correlationId });
	}, [missing, correlationId, dispatch]);

	function send(text: string): void {
		dispatch({ SendMessage: { Text: text, Date: new Date().toISOString(), UserName: name.trim() } });
	}

	return (
		<section className="chat" aria-label="Chat">
			<Users users={state.Users} me={me} />
			<Messages messages={state.Messages} privates={privates} />
			<Composer {...{ ready, name, setName, send }} ownName={me?.Name ?? ""} />
			<Problem text={error} />
		</section>
	);
}

/** Each private message replaces the one before in the state; the page keeps them. */
function usePrivateMessages(newest: ChatMessage | null | undefined): readonly ChatMessage[] {
	const [kept, setKept] = useState<readonly ChatMessage[]>([]);
	useEffect(() => {
		if (newest) setKept((earlier) => [...earlier, newest].slice(-KEPT_MESSAGES));
	}, [newest]);
	return kept;
}

function Users({ users, me }: { readonly users: readonly ChatUser[]; readonly me: ChatUser | undefined }) {
	return (
		<aside aria-label="People here">
			<h2>People here</h2>
			<ul data-testid="users">
				{users.map((user) => (
					<li key={user.Id} title={[user.Browser, user.IpAddress].filter(Boolean).join(" at ")}>
						{user.Name}
						{user === me && " (you)"}
					</li>
				))}
			</ul>
		</aside>
	);
}

interface MessagesProps {
	readonly messages: readonly ChatMessage[];
	readonly privates: readonly ChatMessage[];
}

function Messages({ messages, privates }: MessagesProps) {
	const end = useRef<HTMLDivElement>(null);
	const lines = [...messages, ...privates].sort((a, b) => a.Date.localeCompare(b.Date)).slice(-KEPT_MESSAGES);
	const newest = lines.at(-1)?.Id;
	useEffect(() => {
		if (newest !== undefined) end.current?.scrollIntoView({ block: "nearest" });
	}, [newest]);
	return (
		<div className="messages" role="log" aria-label="Messages" data-testid="messages">
			{lines.map((message) => (
				<p key={message.Id} className={privates.includes(message) ? "private" : undefined}>
					<strong>{message.UserName}</strong>{" "}
					<time dateTime={message.Date}>{new Date(message.Date).toLocaleTimeString()}</time>
					{privates.includes(message) && <em> private</em>}
					<br />
					{message.Text}
				</p>
			))}
			<div ref={end} />
		</div>
	);
}

interface ComposerProps {
	readonly ready: boolean;
	readonly name: string;
	readonly ownName: string;
	setName(name: string): void;
	send(text: string): void;
}

function Composer({ ready, name, ownName, setName, send }: ComposerProps) {
	const [text, setText] = useState("");
	function submit(event: FormEvent): void {
		event.preventDefault();
		if (text.trim() === "") return;
		send(text.trim());
		setText("");
	}
	return (
		<form className="composer" onSubmit={submit}>
			<TextField label="Your name" value={name} placeholder={ownName} disabled={!ready} onChange={setName} />
			<TextField
				label="Message"
				placeholder="Start with “name:” to tell one person only"
				value={text}
				maxLength={1000}
				disabled={!ready}
				onChange={setText}
			/>
			<button type="submit" disabled={!ready || text.trim() === ""}>
				Send
			</button>
		</form>
	);
}
