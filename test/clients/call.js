// Lets a test in another language drive a published client, unchanged but for its base URL.
//
//   node call.js iexjs|node-iex-cloud BASE_URL     BASE_URL without a slash at its end
//
// Each line of standard input is a JSON array, the way to a value, from the client on: a text is a
// property, an array is a call of a method ([name, arguments…]). The first line is the token. For
// each line after it one line comes out: {"value": …}, {"error": the message of what was thrown},
// or {"returned_error": …} where the client gave an Error back without throwing it.
"use strict";

const readline = require("readline");

const makers = {
  iexjs(base, token) {
    const iexjs = require("@apperate/iexjs");
    iexjs.overrideUrl({ url: `${base}/v1/` });
    return new iexjs.Client({ api_token: token, version: "v1" });
  },
  // This client names its host in its code and takes the function that fetches from its user.
  "node-iex-cloud"(base, token) {
    const { IEXCloudClient } = require("node-iex-cloud");
    const moved = (url) => fetch(url.replace("https://cloud.iexapis.com", base));
    return new IEXCloudClient(moved, { publishable: token, version: "stable" });
  },
};

async function follow(client, steps) {
  let value = client;
  for (const step of steps) {
    value = Array.isArray(step) ? await value[step[0]](...step.slice(1)) : value[step];
  }
  return value;
}

async function main() {
  const [kind, base] = process.argv.slice(2);
  let client = null;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (client === null) {
      client = makers[kind](base, JSON.parse(line));
      continue;
    }
    let answer;
    try {
      const value = await follow(client, JSON.parse(line));
      answer = value instanceof Error ? { returned_error: value.message } : { value };
    } catch (error) {
      answer = { error: String(error.message) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

main();
