package spacesauth

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxLifetime bounds what is believed of an access token's lifetime.
const maxLifetime = 10 * 365 * 24 * time.Hour

// lifetimeOf reads expires_in as a number, numeric text or a fraction. Without a
// usable one the token's own claims count, then the default.
func (c *Client) lifetimeOf(raw json.RawMessage, answer Answer) time.Duration {
	if lifetime := secondsOf(raw); lifetime > 0 {
		return lifetime
	}
	if lifetime := lifetimeByClaims(answer.AccessToken, answer.IssueTime); lifetime > 0 {
		return lifetime
	}
	return c.lifetime
}

// grantLifetimeOf reads in what time a grant ends. There is no standard for it: services say
// refresh_token_expires_in or refresh_expires_in. A 0 says that it does not end, which needs no telling.
func grantLifetimeOf(fields map[string]json.RawMessage) time.Duration {
	if lifetime := secondsOf(fields["refresh_token_expires_in"]); lifetime > 0 {
		return lifetime
	}
	return secondsOf(fields["refresh_expires_in"])
}

// secondsOf reads whole seconds of at least one from a number, numeric text or a fraction, and gives 0
// for anything else.
func secondsOf(raw json.RawMessage) time.Duration {
	number := strings.TrimSpace(string(raw))
	if quoted := text(raw); quoted != "" {
		number = strings.TrimSpace(quoted)
	}
	seconds, err := strconv.ParseFloat(number, 64)
	if err != nil || !(seconds >= 1) || math.IsInf(seconds, 0) {
		return 0
	}
	return time.Duration(math.Min(math.Floor(seconds), maxLifetime.Seconds())) * time.Second
}

// lifetimeByClaims is how long a JSON Web Token (RFC 7519 §4.1) lives by its own claims, in
// whole seconds and at least one; 0 when they do not say, or say the past. It is exp less iat,
// which one clock wrote; exp alone is compared with issueTime, which is by another.
func lifetimeByClaims(token Secret, issueTime time.Time) time.Duration {
	claims := claimsOf(token)
	expiry, issued := timeClaim(claims["exp"]), timeClaim(claims["iat"])
	if expiry.IsZero() {
		return 0
	}
	if issued.IsZero() || !expiry.After(issued) {
		issued = issueTime
	}
	if !expiry.After(issued) {
		return 0
	}
	return min(max(expiry.Sub(issued).Truncate(time.Second), time.Second), maxLifetime)
}

// timeClaim reads a time without verifying it, and gives the zero time for anything else.
func timeClaim(raw json.RawMessage) time.Time {
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || seconds < 1 || seconds > math.MaxInt32*100 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}
