package fakespaces

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	hugePadding = 16 << 20 // more than sockets buffer, so nobody reads past it by chance
	loginPage   = "<!DOCTYPE html><html><body><form>Sign in</form></body></html>\n"
)

func lostBefore(*Service) *answer { return &answer{ending: endsUnsent} }

func endingWith(how ending) func(*answer) {
	return func(a *answer) { a.ending = how }
}

// proxied replaces all that a client could see, and keeps what was done.
func proxied(a *answer) {
	page := webPage(http.StatusBadGateway)(nil)
	a.status, a.header, a.object, a.text = page.status, page.header, nil, page.text
	a.ending = endsUnread
}

func truncated(a *answer) {
	body := a.body()
	a.object, a.text = nil, string(body[:legible(body)])
	a.ending = endsUnread
}

// padded has no place for its padding in a web page or a redirect.
func padded(a *answer) {
	if a.text != "" || a.header.Get("Location") != "" {
		return
	}
	a.padding = hugePadding
	a.ending = endsUnread
}

func dropping(name string) func(*answer) {
	return func(a *answer) { a.object = a.object.without(name) }
}

func lifetimeAs(form func(seconds int64) any) func(*answer) {
	return func(a *answer) {
		if seconds, given := a.object.get("expires_in").(int64); given {
			a.object.set("expires_in", form(seconds))
		}
	}
}

func longScopes(a *answer) {
	if scopes, given := a.object.get("scope").(string); given {
		a.object.set("scope", lengthenScopes(scopes))
	}
}

func tokenless(a *answer) { a.object.set("access_token", "") }

func asText(a *answer) { a.header.Set("Content-Type", "text/plain; charset=utf-8") }

func enriched(a *answer) {
	if a.object != nil {
		a.object = append(a.object, member{"x_region", "eu"}, member{"x_limits", object{{"left", 599}}})
	}
}

func otherAudience(a *answer) { a.object.set("audience", "another-client") }

func otherUser(a *answer) {
	user, given := a.object.get("user").(object)
	if !given {
		return
	}
	const other = "someone-else@example.test"
	a.object.set("user_id", personID("accounts", other))
	user.set("id", personID("accounts", other))
	user.set("username", other)
}

func webPage(status int) func(*Service) *answer {
	return func(*Service) *answer {
		title := fmt.Sprintf("%d %s", status, http.StatusText(status))
		return plainAnswer(status, "text/html; charset=utf-8",
			"<!DOCTYPE html><html><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>\n")
	}
}

func refused(status int, code string) func(*Service) *answer {
	return func(*Service) *answer { return refuse(status, code, "as ordered by a fault") }
}

func strangeError(*Service) *answer {
	return jsonAnswer(http.StatusBadRequest, object{{"code", "authen_error.4001"}, {"message", "request was refused"}})
}

// forbidden is what the service says of scopes, permissions and wrong PINs: the
// token is as good as before.
func forbidden(*Service) *answer {
	return jsonAnswer(http.StatusForbidden, object{{"code", "permission_error"}, {"message", "request is not allowed"}})
}

func redirected(status int) func(*Service) *answer {
	return func(*Service) *answer {
		away := plainAnswer(status, "", "")
		away.header.Set("Location", loginPath)
		return away
	}
}

// throttled asks for patience, in one of the two forms of RFC 9110 section
// 10.2.3.
func throttled(status int, form func(*Service) string) func(*Service) *answer {
	return func(s *Service) *answer {
		wait := plainAnswer(status, "text/plain; charset=utf-8", "too many requests\n")
		wait.header.Set("Retry-After", form(s))
		return wait
	}
}

func inSeconds(s *Service) string {
	return strconv.FormatInt(int64(s.settings.retryAfter/time.Second), 10)
}

func asDate(s *Service) string {
	return s.now().Add(s.settings.retryAfter).UTC().Format(http.TimeFormat)
}
