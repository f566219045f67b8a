import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that the server received. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Reply = (answer: ServerResponse, request: Received) => unknown;

/** Server of answers that a real service gives on bad days only. The last reply serves all further requests. */
export class BrokenService {
  readonly received: Received[] = [];
  readonly #server: Server;
  #replies: Reply[];

  private constructor(replies: Reply[]) {
    this.#replies = replies;
    this.#server = createServer((request, answer) => void this.#answer(request, answer));
  }

  static async start(...replies: Reply[]): Promise<BrokenService> {
    const service = new BrokenService(replies);
    await new Promise<void>((resolve) => service.#server.listen(0, "127.0.0.1", resolve));
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Paths of the requests so far. */
  get paths(): string[] {
    return this.received.map((request) => request.url);
  }

  replyWith(...replies: Reply[]): void {
    this.#replies = replies;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += part;
    const { method = "", url = "", headers } = request;
    const received = { method, url, headers, body };
    this.received.push(received);
    const reply = this.#replies.length > 1 ? this.#replies.shift() : this.#replies[0];
    reply?.(answer, received);
  }
}

export function json(document: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return (answer) => {
    answer.writeHead(status, { "content-type": "application/json", ...headers });
    answer.end(JSON.stringify(document));
  };
}

/** Accept all events of a request. */
export const accept: Reply = (answer, request) => {
  const events = JSON.parse(request.body) as { event_id: string }[];
  json({ outcomes: events.map(({ event_id }) => ({ event_id, outcome: "accepted" })) }, 202)(answer, request);
};

export function problem(status: number, headers: Record<string, string> = {}): Reply {
  const document = { type: "/problems/test", title: "A title", status, detail: "A detail", request_id: "r-1" };
  return json(document, status, { "content-type": "application/problem+json", ...headers });
}

/** Never answer. */
export const silence: Reply = () => {};

/** Close the connection without an answer. */
export const hangUp: Reply = (answer) => void answer.destroy();

/** Begin a stream of server-sent events; it stays open. */
export function stream(...parts: string[]): Reply {
  return (answer) => {
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.write(": open\n\n");
    for (const part of parts) answer.write(part);
  };
}

/** Begin a stream and end it. */
export function shortStream(...parts: string[]): Reply {
  return (answer) => {
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.end(parts.join(""));
  };
}

/** Return once a condition holds; fail after ten seconds. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
