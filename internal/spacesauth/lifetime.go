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
	number := strings.TrimSpace(string(raw))
	if quoted := text(raw); quoted != "" {
		number = strings.TrimSpace(quoted)
	}
	if seconds, err := strconv.ParseFloat(number, 64); err == nil && seconds >= 1 && !math.IsInf(seconds, 0) {
		return time.Duration(math.Min(math.Floor(seconds), maxLifetime.Seconds())) * time.Second
	}
	if lifetime := lifetimeByClaims(answer.AccessToken, answer.IssueTime); lifetime > 0 {
		return lifetime
	}
	return c.lifetime
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
