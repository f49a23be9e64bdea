package grantstate

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func TestSchedule(t *testing.T) {
	for sentence, c := range map[string]struct {
		renewal  v1alpha1.Renewal
		lifetime time.Duration
		latest   time.Duration
	}{
		"a third is left by default":          {v1alpha1.Renewal{}, time.Hour, time.Hour * 67 / 100},
		"a percentage":                        {v1alpha1.Renewal{RenewBeforePercent: ptr.To(int32(50))}, time.Hour, 30 * time.Minute},
		"seconds":                             {v1alpha1.Renewal{RenewBeforeSeconds: ptr.To(int32(600))}, time.Hour, 50 * time.Minute},
		"at least five seconds":               {v1alpha1.Renewal{RenewBeforePercent: ptr.To(int32(5))}, 20 * time.Second, 15 * time.Second},
		"half a lifetime wins":                {v1alpha1.Renewal{RenewBeforeSeconds: ptr.To(int32(604800))}, time.Hour, 30 * time.Minute},
		"also over the five seconds":          {v1alpha1.Renewal{}, 4 * time.Second, 2 * time.Second},
		"a token of a second":                 {v1alpha1.Renewal{}, time.Second, time.Second},
		"a token of two seconds":              {v1alpha1.Renewal{}, 2 * time.Second, 2 * time.Second},
		"a token of three seconds":            {v1alpha1.Renewal{}, 3 * time.Second, 2 * time.Second},
		"a lifetime that is no whole second":  {v1alpha1.Renewal{}, 20*time.Second + 900*time.Millisecond, 20 * time.Second * 67 / 100},
		"a lifetime of no length is a second": {v1alpha1.Renewal{}, 0, time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			for i := range 200 {
				uid := types.UID(fmt.Sprint(i))
				issue, renew, expire := schedule(uid, c.renewal, noon.Add(300*time.Millisecond), c.lifetime)
				again, _, _ := schedule(uid, c.renewal, noon.Add(300*time.Millisecond), c.lifetime)
				for _, at := range []time.Time{issue, renew, expire} {
					if at.Nanosecond() != 0 {
						t.Fatalf("%s is no whole second", at)
					}
				}
				if !issue.Equal(noon) || !again.Equal(issue) {
					t.Fatalf("issued at %s", issue)
				}
				wait := renew.Sub(issue)
				if earliest := c.latest*9/10 - time.Second; wait > c.latest || wait < earliest {
					t.Fatalf("renewal after %s, want %s to %s", wait, earliest, c.latest)
				}
				if want := max(c.lifetime.Truncate(time.Second), time.Second); expire.Sub(issue) != want {
					t.Fatalf("expiry after %s, want %s", expire.Sub(issue), want)
				}
			}
		})
	}
}

func TestRenewalsIssuedTogetherAreSpread(t *testing.T) {
	perTenSeconds := map[int]int{}
	const tokens = 1000
	var last time.Duration
	for i := range tokens {
		_, renew, _ := schedule(types.UID(fmt.Sprintf("uid-%d", i)), v1alpha1.Renewal{}, noon, time.Hour)
		wait := renew.Sub(noon)
		perTenSeconds[int(wait/(10*time.Second))]++
		last = max(last, wait)
	}
	mean := float64(tokens) / (float64(time.Hour*67/100/10) / float64(10*time.Second))
	for slot, count := range perTenSeconds {
		if float64(count) > 2.2*mean {
			t.Errorf("%d renewals within ten seconds at %ds, the mean is %.0f", count, slot*10, mean)
		}
	}
}
