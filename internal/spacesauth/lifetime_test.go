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
		want   time.Duration
	}{
		"an hour and a half second":    {halfPast.Unix() + 3601, time.Hour},
		"a second and a half":          {halfPast.Unix() + 2, time.Second},
		"half a second counts as one":  {halfPast.Unix() + 1, time.Second},
		"half a second ago is nothing": {halfPast.Unix(), 0},
		"a century is too long":        {halfPast.Unix() + 3_155_760_000, maxLifetime},
	} {
		t.Run(sentence, func(t *testing.T) {
			claims := fmt.Appendf(nil, `{"exp":%d}`, c.expiry)
			token := NewSecret("h." + base64.RawURLEncoding.EncodeToString(claims) + ".s")
			if got := untilExpiry(token, halfPast); got != c.want {
				t.Errorf("it lives for %s, want %s", got, c.want)
			}
		})
	}
}
