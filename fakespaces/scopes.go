package fakespaces

import (
	"net/http"
	"slices"
	"strings"
)

// scopePrefixes begin the long forms of scopes: production, its older name,
// and staging (vendor page authorizingrequests).
var scopePrefixes = []string{
	"https://accounts.avayacloud.com/auth/",
	"https://accounts.zang.io/auth/",
	"https://www.onesna.com/auth/",
}

// shortScopes leads from the last part of a long form to the short form.
var shortScopes = map[string]string{
	"userinfo.email":   "email",
	"userinfo.profile": "profile",
	"zangspaces":       "spaces",
	"logan":            "spaces", // staging's name for it
}

func allScopes() []string { return []string{"email", "profile", "spaces"} }

// shortScope is the short form of a scope, or "" if the service does not know
// it.
func shortScope(scope string) string {
	if slices.Contains(allScopes(), scope) {
		return scope
	}
	for _, prefix := range scopePrefixes {
		if rest, found := strings.CutPrefix(scope, prefix); found {
			return shortScopes[rest]
		}
	}
	return ""
}

// longScope is the production long form of a known scope.
func longScope(scope string) string {
	short := shortScope(scope)
	for _, long := range []string{"userinfo.email", "userinfo.profile", "zangspaces"} {
		if shortScopes[long] == short {
			return scopePrefixes[0] + long
		}
	}
	return scope
}

// requestedScopes are the scopes a call asks for, in the form in which it asks,
// or the given ones if it names none. They must be known and among the given
// ones (RFC 6749 sections 3.3 and 6).
func requestedScopes(call *Call, given []string) ([]string, *answer) {
	chosen, fine := chooseScopes(call.Form.Get("scope"), given)
	if !fine {
		return nil, refuse(http.StatusBadRequest, codeInvalidScope, "unknown scope, or more than was granted")
	}
	return chosen, nil
}

func chooseScopes(asked string, given []string) (chosen []string, fine bool) {
	chosen = strings.Fields(asked)
	if len(chosen) == 0 {
		return given, true
	}
	for _, scope := range chosen {
		if !includes(given, shortScope(scope)) {
			return nil, false
		}
	}
	return chosen, true
}

// meanings say to a person what scopes are for.
func meanings(scopes []string) []string {
	var said []string
	for _, scope := range scopes {
		said = append(said, map[string]string{
			"email":   "your name and e-mail address (email)",
			"profile": "your profile (profile)",
			"spaces":  "your spaces and messages (spaces)",
		}[shortScope(scope)])
	}
	return said
}

func includes(given []string, short string) bool {
	for _, scope := range given {
		if short != "" && shortScope(scope) == short {
			return true
		}
	}
	return false
}

func lengthenScopes(scopes string) string {
	fields := strings.Fields(scopes)
	for i := range fields {
		fields[i] = longScope(fields[i])
	}
	return strings.Join(fields, " ")
}
