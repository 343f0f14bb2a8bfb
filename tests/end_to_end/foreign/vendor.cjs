'use strict';

// The vendor's npm package homey-api, from the authorization code to logic variables.

const assert = require('node:assert');
const { setTimeout: wait } = require('node:timers/promises');
const { AthomCloudAPI } = require('homey-api');
const { input, check, finish, codeFromBrowser, stepsOf } = require('./checks.cjs');

const STRATEGY = { strategy: ['cloud'] };

class Memory extends AthomCloudAPI.StorageAdapter {
  kept = {};

  async get() { return this.kept; }

  async set(value) { this.kept = value; }
}

function cloud(world) {
  return new AthomCloudAPI({
    clientId: world.clientId,
    clientSecret: world.clientSecret,
    redirectUrl: world.redirectUri,
    baseUrl: world.api,
    store: new Memory(),
  });
}

const rejectedWith = (statusCode, message) => (error) => {
  assert.strictEqual(error.statusCode, statusCode);
  if (message) assert.strictEqual(error.message, message);
  return true;
};

async function signIn(world) {
  const api = cloud(world);
  const code = await codeFromBrowser(world, api.getLoginUrl());
  await api.authenticateWithAuthorizationCode({ code, removeCodeFromHistory: false });
  return { api, code };
}

async function oauth(world) {
  const { api, code } = await signIn(world);
  const first = api.__token;
  await check('a code gives a token of the library\'s form', () => {
    assert.match(code, /^[0-9a-f]{40}$/);
    assert.match(first.access_token, /^[0-9a-f]{40}$/);
    assert.strictEqual(first.token_type, 'bearer');
    assert.strictEqual(first.expires_in, 3660);
  });
  await check('a code is good once', () => assert.rejects(
    cloud(world).authenticateWithAuthorizationCode({ code }), rejectedWith(400, 'Invalid code'),
  ));
  await check('a refresh token gives another token', async () => {
    const second = await api.authenticateWithRefreshToken();

    assert.notStrictEqual(second.access_token, first.access_token);
    assert.notStrictEqual(second.refresh_token, first.refresh_token);
  });
  await check('a replaced refresh token is rejected', async () => {
    const late = cloud(world);
    late.__token = first;

    await assert.rejects(
      late.authenticateWithRefreshToken(), rejectedWith(400, 'Invalid refresh token'),
    );
  });
  await check('the password grant is rejected where the client may not use it', () => assert.rejects(
    cloud(world).authenticateWithPassword(world.email, world.password),
    rejectedWith(400, 'The grant type is unauthorised for this client_id'),
  ));
  await check('a wrong client secret is rejected', () => assert.rejects(
    cloud({ ...world, clientSecret: 'wrong' }).authenticateWithAuthorizationCode({ code }),
    rejectedWith(400, 'Client credentials are invalid'),
  ));
  return api;
}

async function user(world, api) {
  const me = await api.getAuthenticatedUser();
  await check('/user/me names the account and its Homeys', async () => {
    assert.strictEqual(me.email, world.email);
    assert.deepStrictEqual(
      (await me.getHomeys()).map((one) => one.id), world.homeys.map((one) => one.cloudid),
    );
  });
  await check('an unplugged Homey is offline', async () => {
    const other = await me.getHomeyById(world.homeys[1].cloudid);

    await assert.rejects(
      other.authenticate(STRATEGY), (error) => error.constructor.name === 'APIErrorHomeyOffline',
    );
  });
  const homey = await (await me.getFirstHomey()).authenticate(STRATEGY);
  await check('the Homey has a session with scopes', async () => {
    const session = await homey.sessions.getSessionMe();

    assert.strictEqual(session.type, 'OAUTH');
    assert.ok(session.scopes.includes('homey'));
    assert.ok(Date.parse(session.expiresAt) - Date.now() > 86_000_000);
  });
  return homey;
}

async function logic(world, homey) {
  const { id } = world.homeys[0].variables[0];
  await check('the variable accesstoken is listed', async () => {
    const variables = await homey.logic.getVariables();

    assert.strictEqual(variables[id].name, 'accesstoken');
    assert.strictEqual(variables[id].type, 'string');
  });
  await check('a flat update is echoed and kept', async () => {
    const echo = await homey.logic.updateVariable({ id, variable: { value: 'new' } });

    assert.strictEqual(echo.value, 'new');
    assert.strictEqual((await homey.logic.getVariable({ id })).value, 'new');
  });
  await check('a nested update answers well and changes nothing', async () => {
    await homey.logic.updateVariable({ id, variable: { variable: { value: 'lost' } } });

    assert.strictEqual((await homey.logic.getVariable({ id })).value, 'new');
  });
  await check('a variable is made and deleted', async () => {
    const made = await homey.logic.createVariable({
      variable: { name: 'made', type: 'number', value: 1 },
    });
    await homey.logic.deleteVariable({ id: made.id });

    await assert.rejects(homey.logic.getVariable({ id: made.id }), rejectedWith(404));
  });
  await check('a value of another type is rejected', () => assert.rejects(
    homey.logic.updateVariable({ id, variable: { value: 7 } }), rejectedWith(400),
  ));
}

async function devices(homey) {
  await check('a throttled call is a 429', () => assert.rejects(
    homey.devices.getDevices(), rejectedWith(429),
  ));
  await check('a lamp is listed and switched on', async () => {
    const lamp = Object.values(await homey.devices.getDevices())
      .find((one) => one.capabilities.includes('onoff'));
    await homey.devices.setCapabilityValue({
      deviceId: lamp.id, capabilityId: 'onoff', value: true,
    });
    const after = await homey.devices.getDevice({ id: lamp.id });

    assert.strictEqual(after.capabilitiesObj.onoff.value, true);
  });
}

async function expiry(world, life) {
  const { api } = await signIn(world);
  const homey = await (await (await api.getAuthenticatedUser()).getFirstHomey())
    .authenticate(STRATEGY);
  const { id } = world.homeys[0].variables[0];
  await wait((life + 0.2) * 1000);
  const before = stepsOf(world).length;
  await check('after both lives ended, five calls bring one chain of renewals', async () => {
    const echoes = await Promise.all([1, 2, 3, 4, 5].map((at) => homey.logic.updateVariable({
      id, variable: { value: `v${at}` },
    })));
    await wait(100);
    const chain = stepsOf(world).slice(before).filter((step) => step !== 'variable');

    assert.deepStrictEqual(echoes.map((one) => one.value), ['v1', 'v2', 'v3', 'v4', 'v5']);
    assert.deepStrictEqual(chain, ['delegation', 'token', 'delegation', 'homey_login', 'session']);
  });
  await check('the password grant works where the client may use it', async () => {
    const token = await cloud(world).authenticateWithPassword(world.email, world.password);

    assert.match(token.access_token, /^[0-9a-f]{40}$/);
  });
}

(async () => {
  console.log(`# homey-api, Homeys of API version ${input.version}`);
  await check('the whole conversation comes to its end', async () => {
    const ending = expiry(input.short, input.life);
    const api = await oauth(input.long);
    const homey = await user(input.long, api);
    await logic(input.long, homey);
    await devices(homey);
    await ending;
  });
  finish();
})();
