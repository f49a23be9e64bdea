package fakespaces

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
)

// guestFields are what a guest may say of itself (vendor page anonymous_auth).
// None of it is required; other members are ignored, as some clients send a
// room.
var guestFields = []string{"displayname", "username", "picturefile"}

// readGuestForm reads a form or JSON: both are in use, and the Content-Type
// tells which. Where it is missing, what looks like an object is JSON.
func (c *Call) readGuestForm(body []byte) {
	sent := c.Header.Get("Content-Type")
	body = bytes.TrimSpace(body)
	isJSON := strings.HasPrefix(sent, jsonType) || sent == "" && bytes.HasPrefix(body, []byte("{"))
	switch {
	case len(body) == 0: // a guest without a name
	case isJSON:
		c.readGuestJSON(body)
	case sent == "" || strings.HasPrefix(sent, formType):
		c.Form, _ = url.ParseQuery(string(body))
	}
}

func (c *Call) readGuestJSON(body []byte) {
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		c.garbled = true
		return
	}
	c.Form = url.Values{}
	for name, value := range members {
		if text, isText := value.(string); isText {
			c.Form.Set(name, text)
		}
	}
	for _, name := range guestFields {
		if value, sent := members[name]; sent && value != nil && !c.Form.Has(name) {
			c.garbled = true
		}
	}
}
