/** An event of a stream of server-sent events. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  /** Id of the last event so far that had one. */
  readonly id: string;
}

/**
 * Parser of `text/event-stream`, by the rules of the HTML standard.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class SseParser {
  /** Pause before a new connection that the stream asked for, in milliseconds. */
  retryMs: number | null = null;
  /** Id of the last event so far that had one; an event without data counts, too. */
  lastId = "";
  #id = "";
  #event = "";
  #data: string[] = [];
  #rest = "";
  #decoder = new TextDecoder();

  /** Return the events that end in this part of the stream. */
  feed(bytes: Uint8Array): ServerSentEvent[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerSentEvent[] {
    if (line === "") return this.#dispatch();
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
    return [];
  }

  #dispatch(): ServerSentEvent[] {
    const found = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
    const isEmpty = this.#data.length === 0;
    this.lastId = this.#id;
    this.#event = "";
    this.#data = [];
    return isEmpty ? [] : [found];
  }
}
