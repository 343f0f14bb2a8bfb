'use strict';

// What both programs share: input, checks, and the part of a browser.

const fs = require('node:fs');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));

let failed = 0;

/** Runs one check and prints its outcome; a sentence says what is proven. */
async function check(sentence, body) {
  try {
    const value = await body();
    console.log(`ok ${sentence}`);
    return value;
  } catch (error) {
    failed += 1;
    console.log(`not ok ${sentence}: ${error && error.stack ? error.stack : error}`);
    return undefined;
  }
}

/** Ends the program: clients leave timers behind that would keep it alive. */
function finish() {
  process.exit(failed ? 1 : 0);
}

/** Does what a person does in a browser: log in, open the login URL, press Allow. */
async function codeFromBrowser(world, loginUrl) {
  const login = await fetch(`${world.accounts}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: world.email, password: world.password }),
  });
  const { token } = await login.json();
  const page = await fetch(`${loginUrl}&user_token=${encodeURIComponent(token)}`);
  const [, csrf] = /name="_csrf" value="([^"]+)"/.exec(await page.text());
  const [cookie] = page.headers.getSetCookie().map((one) => one.split(';')[0]);
  const pressed = await fetch(page.url, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie },
    body: new URLSearchParams({
      resource: `resource.homey.${world.cloudid}`, _csrf: csrf, allow: 'Allow',
    }),
  });
  return new URL(pressed.headers.get('location')).searchParams.get('code');
}

/** The names of the requests that a simulator answered so far. */
function stepsOf(world) {
  return fs.readFileSync(world.log, 'utf8').trim().split('\n')
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === 'request.answered')
    .map((line) => line.step);
}

module.exports = { input, check, finish, codeFromBrowser, stepsOf };
