// Verifies the JWT that the gateway signs for an upstream, and the body's hash in it.
//
//     npm install jose

import { createHash, timingSafeEqual } from 'node:crypto';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

/**
 * Makes the function that verifies what one gateway signs for this service.
 *
 * bodyHash: 'hex' or 'content-digest', as in the gateway's configuration; nothing if it sends none.
 * anonymous: whether requests are served that passed the gateway without an accepted token.
 */
export function gatewayVerifier({ url, issuer, audience, algorithm = 'ES256', bodyHash, anonymous = false }) {
  // Fetched when they are old (the gateway's jwks_max_age), or when a key is not among them.
  const keys = createRemoteJWKSet(new URL(url), { cacheMaxAge: 300_000, cooldownDuration: 10_000 });

  // The claims, by the values of the header `JWT` (request.headersDistinct.jwt) and the body, a Buffer
  // as it came.
  return async function verify(values, body = Buffer.alloc(0)) {
    if (values?.length !== 1) throw new errors.JWTInvalid('the header must be there once');
    const { payload } = await jwtVerify(values[0], keys, {
      algorithms: [algorithm],
      typ: 'JWT',
      issuer,
      audience,
      clockTolerance: 5,
      requiredClaims: ['exp', 'nbf', 'iat'],
    });
    if (payload.anonymous && !anonymous) throw new errors.JWTInvalid('no caller');
    if (bodyHash && !sameBody(bodyHash, payload, body)) {
      throw new errors.JWTInvalid('not the body that the gateway saw');
    }
    return payload;
  };
}

// Whether the body, in its octets as they came, is the one that was hashed.
function sameBody(form, claims, body) {
  const digest = createHash('sha256').update(body);
  const [found, expected] = form === 'hex'
    ? [claims.payloadhash, digest.digest('hex')]
    : [claims.content_digest, `sha-256=:${digest.digest('base64')}:`]; // RFC 9530
  return typeof found === 'string' && found.length === expected.length
    && timingSafeEqual(Buffer.from(found, 'latin1'), Buffer.from(expected, 'latin1'));
}

// Who calls: a subject means something only together with its issuer (RFC 9493). null: nobody.
// Of a caller's token without `sub` the gateway says neither `sub` nor `sub_id`.
export function caller(claims) {
  if (claims.anonymous) return null;
  const { iss, sub } = claims.sub_id ?? {};
  if (![iss, sub, claims.sub].every((text) => typeof text === 'string')) {
    throw new errors.JWTInvalid('no caller');
  }
  return { iss, sub };
}
