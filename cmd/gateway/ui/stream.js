// The admin API, with the token in a header and never in an address.

const tokenName = "iqgateway.token";
const silentAfter = 5000; // ms without an event
const firstPause = 500, longestPause = 10000; // ms between tries

export const token = {
  get: () => sessionStorage.getItem(tokenName) ?? "",
  set: (text) => sessionStorage.setItem(tokenName, text),
  forget: () => sessionStorage.removeItem(tokenName),
};

function headers(more = {}) {
  return token.get() ? {...more, Authorization: `Bearer ${token.get()}`} : more;
}

async function problemOf(answer) {
  try {
    const problem = await answer.json();
    return problem.detail ?? problem.title ?? `${answer.status}`;
  } catch {
    return `the gateway answered ${answer.status}`;
  }
}

export async function get(path) {
  const answer = await fetch(path, {headers: headers(), cache: "no-store"});
  if (!answer.ok) throw new Error(await problemOf(answer));
  return answer.json();
}

export async function post(path, body) {
  const answer = await fetch(path, {method: "POST", headers: headers({"Content-Type": "application/json"}), body: JSON.stringify(body)});
  if (!answer.ok) throw new Error(await problemOf(answer));
  return answer.json();
}

// Stream keeps reading events. It tells of each by on[name](document), of its
// own state by on.state(text, stale), and by on.refused(why) that it has given up
// until it is started again: a wrong token gets no better.
export class Stream {
  constructor(on) {
    this.on = on;
    this.abort = null;
  }

  stop() {
    this.abort?.abort();
    this.abort = null;
  }

  async start() {
    this.stop();
    const own = (this.abort = new AbortController());
    let pause = firstPause;
    while (!own.signal.aborted) {
      let why = "connection lost";
      const one = new AbortController();
      const end = () => one.abort();
      own.signal.addEventListener("abort", end);
      try {
        await this.read(one, () => (pause = firstPause));
      } catch (err) {
        if (own.signal.aborted) return;
        if (err.refused) {
          this.on.refused(err.message);
          return;
        }
        if (err.answered) why = err.message;
      } finally {
        own.signal.removeEventListener("abort", end);
        one.abort();
      }
      if (own.signal.aborted) return;
      this.on.state(`${why}, trying again`, true);
      await new Promise((done) => setTimeout(done, pause * (0.75 + Math.random() / 2)));
      pause = Math.min(2 * pause, longestPause);
    }
  }

  // read reads one stream to its end. One that is silent is over: the other side
  // may have gone without a word.
  async read(abort, heard) {
    let silence = setTimeout(() => abort.abort(), silentAfter);
    try {
      const answer = await fetch("/api/v1/events", {headers: headers(), cache: "no-store", signal: abort.signal});
      if (!answer.ok) {
        const problem = new Error(await problemOf(answer));
        problem.answered = true;
        problem.refused = answer.status === 401 || answer.status === 403;
        throw problem;
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const {value, done} = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), silentAfter);
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const text of events) {
          if (this.tell(text) === "overview") heard();
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }

  tell(text) {
    const fields = {};
    for (const line of text.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
    }
    if (fields.data) this.on[fields.event]?.(JSON.parse(fields.data));
    return fields.event;
  }
}
