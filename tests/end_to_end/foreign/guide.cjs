'use strict';

// The guide's own scripts, unmodified but for their hosts and settings.

const assert = require('node:assert');
const fs = require('node:fs');
const fetch1 = require('node-fetch');
const { input, check, finish } = require('./checks.cjs');

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
const [homeyBefore, homeyAfter] = input.homey.split('{cloudid}');

const HOSTS = [
  ['https://accounts.athom.com', input.accounts],
  ['https://api.athom.com', input.api],
  [`'https://' + cloudid + '.connect.athom.com`, `'${homeyBefore}' + cloudid + '${homeyAfter}`],
];
const SETTINGS = {
  email: input.email,
  password: input.password,
  client_id: input.clientId,
  client_secret: input.clientSecret,
  redirect_url: input.redirectUri,
  cloudid: input.cloudid,
};

/** Takes a script out of the guide, by its number, and gives it our hosts and settings. */
function script(number, hosts, settings) {
  const guide = fs.readFileSync(input.guide, 'utf8');
  let ours = [...guide.matchAll(/```javascript\n([^]*?)```/g)][number - 1][1];
  for (const [host, url] of hosts) {
    assert.ok(ours.includes(host), `the script does not name ${host}`);
    ours = ours.split(host).join(url);
  }
  for (const [name, value] of Object.entries(settings)) {
    const line = new RegExp(`^let ${name} = .*$`, 'm');
    assert.match(ours, line);
    ours = ours.replace(line, () => `let ${name} = ${JSON.stringify(value)}`);
  }
  return ours;
}

(async () => {
  const tags = {};
  const quiet = { log() {} };
  const path = `${input.homey.replace('{cloudid}', input.cloudid)}/api/manager/logic/variable/`;
  const headers = () => ({
    authorization: `Bearer ${tags.accesstoken.value}`, 'content-type': 'application/json',
  });
  const variables = async () => (await fetch(path, { headers: headers() })).json();
  const setVariable = async (value) => {
    const { id } = Object.values(await variables()).find(({ name }) => name === 'accesstoken');
    const body = JSON.stringify({ value });
    await fetch(path + id, { method: 'PUT', headers: headers(), body });
  };
  const setTagValue = async (id, opts, value) => { tags[id] = { opts, value }; };

  await check("the guide's script runs to its end", async () => {
    const run = new AsyncFunction('fetch', 'setTagValue', 'console', script(1, HOSTS, SETTINGS));

    assert.strictEqual(await run(fetch1, setTagValue, quiet), true);
  });
  await check("the guide's script sets its tag to a bearer of 114 characters", () => {
    assert.deepStrictEqual(Object.keys(tags), ['accesstoken']);
    assert.strictEqual(tags.accesstoken.value.length, 114);
  });
  await check("the bearer in the guide's tag opens the Homey", async () => {
    const url = `${input.homey.replace('{cloudid}', input.cloudid)}/api/manager/sessions/session/me`;
    const answer = await fetch(url, {
      headers: { authorization: `Bearer ${tags.accesstoken.value}` },
    });

    assert.strictEqual(answer.status, 200);
    assert.strictEqual((await answer.json()).type, 'OAUTH');
  });
  await check("the guide's second script reads the variable by its name, then the devices", async () => {
    const said = [];
    const console = { log: (...words) => said.push(words) };
    const Homey = { logic: { getVariables: variables } };
    const lodash = {
      find: (things, test) => Object.entries(things).find(([key, one]) => test(one, key))?.[1],
    };
    const source = script(2, HOSTS.slice(2), { cloudid: input.cloudid });
    await setVariable(tags.accesstoken.value);

    await new AsyncFunction('fetch', 'Homey', '_', 'console', source)(fetch1, Homey, lodash, console);

    const [, devices] = said.find(([word]) => word === ' Result ');
    assert.deepStrictEqual(Object.values(devices).map(({ name }) => name), ['Lamp', 'Thermometer']);
  });
  finish();
})();
