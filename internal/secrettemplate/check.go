package secrettemplate

import "strings"

// Check finds the templates that cannot work, before anything is spent for them: it
// parses every entry and tries it with made-up values, once with every field filled
// and once with those empty that a service may leave out.
func Check(entries []Entry) error {
	set, err := ParseSet(entries)
	if err != nil {
		return err
	}
	for _, fields := range madeUp {
		if _, err := set.render(fields, true); err != nil {
			return err
		}
	}
	return nil
}

// sample is a made-up value that every function takes: valid base64 of 8 bytes.
const sample = "c2FtcGxl"

// madeUp are the values of a trial. Tokens are long ones (documented are 40 bytes, and
// some hundred for a JWT), so that an output that fits here fits later.
var madeUp = []Fields{
	{
		AccessToken:   strings.Repeat(sample, 256),
		TokenType:     "Bearer",
		Authorization: "Bearer " + strings.Repeat(sample, 256),
		ExpiresAt:     "2006-01-02T15:04:05Z",
		Scope:         strings.TrimSpace(strings.Repeat("https://www.example.com/auth/scope ", 8)),
		APIURL:        "https://api.example.com",
		SocketURL:     "https://socket.example.com",
		IDToken:       strings.Repeat(sample, 256),
		Identity:      Identity{Username: "somebody@example.com", UserID: "0123456789abcdef01234567"},
	},
	{
		AccessToken:   sample,
		TokenType:     "jwt",
		Authorization: "jwt " + sample,
		ExpiresAt:     "2006-01-02T15:04:05Z",
		APIURL:        "https://api.example.com",
	},
}
