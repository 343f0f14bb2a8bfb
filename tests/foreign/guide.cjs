'use strict';

// The guide's own script, as it is but for its hosts and its six settings.

const assert = require('node:assert');
const fs = require('node:fs');
const fetch1 = require('node-fetch');
const { told, check, finish } = require('./checks.cjs');

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
const [homeyBefore, homeyAfter] = told.homey.split('{cloudid}');

const HOSTS = [
  ['https://accounts.athom.com', told.accounts],
  ['https://api.athom.com', told.api],
  [`'https://' + cloudid + '.connect.athom.com`, `'${homeyBefore}' + cloudid + '${homeyAfter}`],
];
const SETTINGS = {
  email: told.email,
  password: told.password,
  client_id: told.clientId,
  client_secret: told.clientSecret,
  redirect_url: told.redirectUri,
  cloudid: told.cloudid,
};

/** Takes the first script out of the guide and gives it our hosts and settings. */
function script() {
  const [, source] = /```javascript\n([^]*?)```/.exec(fs.readFileSync(told.guide, 'utf8'));
  let ours = source;
  for (const [host, url] of HOSTS) {
    assert.ok(ours.includes(host), `the script does not name ${host}`);
    ours = ours.split(host).join(url);
  }
  for (const [name, value] of Object.entries(SETTINGS)) {
    const line = new RegExp(`^let ${name} = .*$`, 'm');
    assert.match(ours, line);
    ours = ours.replace(line, () => `let ${name} = ${JSON.stringify(value)}`);
  }
  return ours;
}

(async () => {
  const tags = {};
  const quiet = { log() {} };
  const setTagValue = async (id, opts, value) => { tags[id] = { opts, value }; };

  await check("the guide's script runs to its end", async () => {
    const run = new AsyncFunction('fetch', 'setTagValue', 'console', script());

    assert.strictEqual(await run(fetch1, setTagValue, quiet), true);
  });
  await check("the guide's script sets its tag to a bearer of 114 characters", () => {
    assert.deepStrictEqual(Object.keys(tags), ['accesstoken']);
    assert.strictEqual(tags.accesstoken.value.length, 114);
  });
  await check("the bearer in the guide's tag opens the Homey", async () => {
    const url = `${told.homey.replace('{cloudid}', told.cloudid)}/api/manager/sessions/session/me`;
    const answer = await fetch(url, {
      headers: { authorization: `Bearer ${tags.accesstoken.value}` },
    });

    assert.strictEqual(answer.status, 200);
    assert.strictEqual((await answer.json()).type, 'OAUTH');
  });
  finish();
})();
