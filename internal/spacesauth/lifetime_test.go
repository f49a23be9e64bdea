package spacesauth

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"
)

// A lifetime of nothing would have to be renewed before it began.
func TestTheLifetimeThatATokenTellsItself(t *testing.T) {
	halfPast := time.Unix(1_900_000_000, 500_000_000)
	for sentence, c := range map[string]struct {
		expiry int64
		issued string // iat, as it stands there
		want   time.Duration
	}{
		"an hour and a half second":    {halfPast.Unix() + 3601, "", time.Hour},
		"a second and a half":          {halfPast.Unix() + 2, "", time.Second},
		"half a second counts as one":  {halfPast.Unix() + 1, "", time.Second},
		"half a second ago is nothing": {halfPast.Unix(), "", 0},
		"a century is too long":        {halfPast.Unix() + 3_155_760_000, "", maxLifetime},

		"an hour, by a clock that is an hour ahead of ours":      {halfPast.Unix() + 7200, fmt.Sprint(halfPast.Unix() + 3600), time.Hour},
		"an hour, by a clock that is two hours behind ours":      {halfPast.Unix() - 3600, fmt.Sprint(halfPast.Unix() - 7200), time.Hour},
		"an hour, with fractions":                                {halfPast.Unix() + 3600, fmt.Sprint(halfPast.Unix()) + ".25", time.Hour},
		"one second at least":                                    {halfPast.Unix() + 1, fmt.Sprint(halfPast.Unix()), time.Second},
		"issued when it expires: exp alone counts":               {halfPast.Unix() + 3601, fmt.Sprint(halfPast.Unix() + 3601), time.Hour},
		"issued after it expires: exp alone counts":              {halfPast.Unix() + 3601, fmt.Sprint(halfPast.Unix() + 9999), time.Hour},
		"issued after it expires, in the past: nothing":          {halfPast.Unix() - 10, fmt.Sprint(halfPast.Unix() + 10), 0},
		"issued at a time that is none: exp alone counts":        {halfPast.Unix() + 3601, `"yesterday"`, time.Hour},
		"issued in the beginning, as if never: exp alone counts": {halfPast.Unix() + 3601, "0", time.Hour},
		"a century, by its own clock, is too long":               {halfPast.Unix() + 3_155_760_000, fmt.Sprint(halfPast.Unix()), maxLifetime},
	} {
		t.Run(sentence, func(t *testing.T) {
			claims := fmt.Appendf(nil, `{"exp":%d}`, c.expiry)
			if c.issued != "" {
				claims = fmt.Appendf(nil, `{"exp":%d,"iat":%s}`, c.expiry, c.issued)
			}
			token := NewSecret("h." + base64.RawURLEncoding.EncodeToString(claims) + ".s")
			if got := lifetimeByClaims(token, halfPast); got != c.want {
				t.Errorf("it lives for %s, want %s", got, c.want)
			}
		})
	}
}

// There is no standard for how an answer tells when a grant ends, so that it is read as tolerantly as
// when a token does.
func TestTheLifetimeOfAGrant(t *testing.T) {
	for body, want := range map[string]time.Duration{
		`{}`:                                                          0,
		`{"refresh_token_expires_in": 3600}`:                          time.Hour,
		`{"refresh_token_expires_in": "3600"}`:                        time.Hour,
		`{"refresh_token_expires_in": 3600.9}`:                        time.Hour,
		`{"refresh_token_expires_in": 1e300}`:                         maxLifetime,
		`{"refresh_expires_in": 1800}`:                                30 * time.Minute,
		`{"refresh_token_expires_in": 3600, "refresh_expires_in": 1}`: time.Hour,
		`{"refresh_token_expires_in": 0, "refresh_expires_in": 1800}`: 30 * time.Minute,
		`{"refresh_expires_in": 0}`:                                   0,
		`{"refresh_expires_in": -1}`:                                  0,
		`{"refresh_expires_in": null}`:                                0,
		`{"refresh_expires_in": "soon"}`:                              0,
		`{"refresh_expires_in": "NaN"}`:                               0,
		`{"refresh_expires_in": "Inf"}`:                               0,
		`{"refresh_expires_in": {"seconds": 3600}}`:                   0,
	} {
		fields, _ := readFields([]byte(body))
		if got := grantLifetimeOf(fields); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}
