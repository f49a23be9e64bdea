package spacesauth

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds the patience that the service may ask for.
const MaxRetryAfter = time.Hour

// retryAfter reads the header in both its forms, seconds and a date (RFC 9110
// §10.2.3). It gives 0 when there is nothing to wait for.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	var wait time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if errors.Is(err, strconv.ErrRange) { // a number, and more than is granted
		wait = MaxRetryAfter
	} else if date, err := http.ParseTime(header); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), MaxRetryAfter)
}
