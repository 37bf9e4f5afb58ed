// Verifies the JWT that the gateway signs for an upstream, and the body's hash in it.
//
//     com.nimbusds:nimbus-jose-jwt

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.net.URI;
import java.net.MalformedURLException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.text.ParseException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;

/** Verifies what one gateway signs for this service. */
public class Verify {
    private final DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
    private final String bodyHash;

    /** bodyHash: "hex" or "content-digest", as in the gateway's configuration; null if it sends none. */
    public Verify(URI keys, String issuer, String audience, JWSAlgorithm algorithm, String bodyHash)
            throws MalformedURLException {
        this.bodyHash = bodyHash;
        processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(JOSEObjectType.JWT));
        // Fetched when they are old (the gateway's jwks_max_age), or when a key is not among them.
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(algorithm,
                JWKSourceBuilder.create(keys.toURL()).cache(300_000, 15_000).rateLimited(10_000).build()));
        var claims = new DefaultJWTClaimsVerifier<>(audience,
                new JWTClaimsSet.Builder().issuer(issuer).build(), Set.of("exp", "nbf", "iat"));
        claims.setMaxClockSkew(5);
        processor.setJWTClaimsSetVerifier(claims);
    }

    /** The claims, by the values of the header JWT (all of them) and the body as it came. */
    public JWTClaimsSet verify(List<String> values, byte[] body)
            throws BadJOSEException, JOSEException, ParseException, NoSuchAlgorithmException {
        if (values.size() != 1) {
            throw new BadJOSEException("the header must be there once");
        }
        var claims = processor.process(values.get(0), null);
        if (claims.getClaim("anonymous") != null) {
            throw new BadJOSEException("no caller");
        }
        if (bodyHash != null && !sameBody(bodyHash, claims, body)) {
            throw new BadJOSEException("not the body that the gateway saw");
        }
        return claims;
    }

    /** Whether the body, in its octets as they came, is the one that was hashed. */
    static boolean sameBody(String form, JWTClaimsSet claims, byte[] body) throws NoSuchAlgorithmException {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(body);
        boolean hex = form.equals("hex");
        String expected = hex ? HexFormat.of().formatHex(digest)
                : "sha-256=:" + Base64.getEncoder().encodeToString(digest) + ":";  // RFC 9530
        return claims.getClaim(hex ? "payloadhash" : "content_digest") instanceof String found
                && MessageDigest.isEqual(found.getBytes(StandardCharsets.UTF_8),
                        expected.getBytes(StandardCharsets.UTF_8));
    }
}
