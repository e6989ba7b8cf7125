import {
	DefaultHttpClient,
	type HttpRequest,
	type HttpResponse,
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	LogLevel,
	NullLogger,
} from "@microsoft/signalr";

/** What the process that a client is connected to says of it. */
export interface Where {
	readonly serverId: string;
	readonly connectionId: string;
	readonly ip: string;
	readonly host: string;
}

/** The stock client's own, which remembers what negotiate answered. */
class ListeningHttpClient extends DefaultHttpClient {
	negotiated: { readonly connectionId: string; readonly connectionToken: string } | undefined;

	constructor() {
		super(NullLogger.instance);
	}

	override async send(request: HttpRequest): Promise<HttpResponse> {
		const response = await super.send(request);
		if (request.url?.includes("/negotiate")) this.negotiated = JSON.parse(response.content as string);
		return response;
	}
}

/** A stock client, and which process negotiated with it. */
export class BalancedClient {
	readonly connection: HubConnection;
	readonly #http = new ListeningHttpClient();

	private constructor(url: string, transport: keyof typeof HttpTransportType) {
		this.connection = new HubConnectionBuilder()
			.withUrl(`${url}/dotnetify`, { transport: HttpTransportType[transport], httpClient: this.#http })
			.configureLogging(LogLevel.None)
			.withAutomaticReconnect(Array(20).fill(200))
			.build();
	}

	static async connect(url: string, transport: keyof typeof HttpTransportType): Promise<BalancedClient> {
		const client = new BalancedClient(url, transport);
		await client.connection.start();
		return client;
	}

	get connectionId(): string | null {
		return this.connection.connectionId;
	}

	/** The id that negotiate gave. */
	get negotiatedId(): string | undefined {
		return this.#http.negotiated?.connectionId;
	}

	/** The server id in the token that negotiate gave. */
	get negotiatedAt(): string | undefined {
		return this.#http.negotiated?.connectionToken.split(".")[0];
	}

	where(): Promise<Where> {
		return this.connection.invoke<Where>("where");
	}
}
