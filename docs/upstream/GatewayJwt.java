// Spring Security (6.5, Spring Boot 3.5) as a resource server for what the gateway signs, beside
// application.yaml: spring-boot-starter-oauth2-resource-server.

import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.convert.converter.Converter;
import org.springframework.security.authentication.AbstractAuthenticationToken;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.server.resource.BearerTokenErrors;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.security.oauth2.server.resource.web.BearerTokenResolver;
import org.springframework.security.web.SecurityFilterChain;

@Configuration
public class GatewayJwt {
    /** The header JWT and nothing else: not Authorization, not the query. */
    @Bean
    BearerTokenResolver headerJwt() {
        return request -> {
            var values = Collections.list(request.getHeaders("JWT"));
            if (values.isEmpty()) {
                return null;
            }
            if (values.size() > 1 || values.get(0).isEmpty()) {
                throw new OAuth2AuthenticationException(BearerTokenErrors.invalidRequest("not one JWT"));
            }
            return values.get(0);
        };
    }

    /** Beside what application.yaml asks for: the type, times that are there, and a caller. */
    @Bean
    OAuth2TokenValidator<Jwt> gatewaySigned() {
        var type = new JwtTypeValidator("JWT");
        type.setAllowEmpty(false);
        return new DelegatingOAuth2TokenValidator<>(type,
                new JwtTimestampValidator(Duration.ofSeconds(5)),  // Spring's own allows a minute
                new JwtClaimValidator<Object>("exp", exp -> exp != null),
                new JwtClaimValidator<Object>("nbf", nbf -> nbf != null),
                new JwtClaimValidator<Object>("anonymous", anonymous -> anonymous == null),
                // Of a caller's token without sub the gateway says neither.
                new JwtClaimValidator<Object>("sub", sub -> sub != null),
                new JwtClaimValidator<Object>("sub_id", id -> id instanceof Map<?, ?> who
                        && who.get("iss") instanceof String && who.get("sub") instanceof String));
    }

    /** A subject means something only together with its issuer (RFC 9493). */
    Converter<Jwt, AbstractAuthenticationToken> caller() {
        return jwt -> {
            Map<String, Object> id = jwt.getClaimAsMap("sub_id");
            return new JwtAuthenticationToken(jwt, null, id.get("iss") + " " + id.get("sub"));
        };
    }

    @Bean
    SecurityFilterChain everything(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
                .oauth2ResourceServer(server -> server.jwt(jwt -> jwt.jwtAuthenticationConverter(caller())))
                .sessionManagement(session -> session.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
                .csrf(csrf -> csrf.disable())  // no cookie says who calls
                .build();
    }
}
