package fakespaces

import "net/http"

// Operation is one thing a client asks of the service. Faults and counts are
// kept by it.
type Operation string

const (
	// OperationPassword is a sign-in with name and password: POST
	// /oauth2/access_token, grant_type=password (RFC 6749 section 4.3).
	OperationPassword Operation = "password"
	// OperationRefresh is a renewal: POST /oauth2/access_token,
	// grant_type=refresh_token (RFC 6749 section 6).
	OperationRefresh Operation = "refresh"
	// OperationAuthorize is the first half of a browser sign-in, each step of
	// it: GET and POST /oauth2/authorize, and POST /oauth2/authorize/confirm (RFC
	// 6749 section 4.1.1; the latter from vendor page authorizingrequests).
	OperationAuthorize Operation = "authorize"
	// OperationAuthorizationCode is the second half of a browser sign-in: POST
	// /oauth2/access_token, grant_type=authorization_code (RFC 6749 section
	// 4.1.3).
	OperationAuthorizationCode Operation = "authorization-code"
	// OperationRevoke is POST /oauth2/revoke_token (vendor page
	// accounts_revoketoken; not RFC 7009).
	OperationRevoke Operation = "revoke"
	// OperationProfile is GET /api/users/me.
	OperationProfile Operation = "profile"
	// OperationConfiguration is GET /api/service-configurations.
	OperationConfiguration Operation = "configuration"
	// OperationGuest makes an anonymous guest: POST /api/anonymous/auth (vendor
	// page anonymous_auth).
	OperationGuest Operation = "guest"
	// OperationTokenInfo asks what an ID token says: GET
	// /api/1.0/id_token/get_token_info (vendor page authorizingrequests).
	OperationTokenInfo Operation = "token-info"
	// OperationOther is any other call: an unknown path, method or grant_type,
	// or the login page that a followed [FaultRedirect] leads to.
	OperationOther Operation = "other"
	// OperationAny stands for all of them, where faults are ordered. No call
	// is counted under it.
	OperationAny Operation = "any"
)

// Operations lists every Operation, OperationAny last.
func Operations() []Operation {
	return []Operation{
		OperationPassword, OperationRefresh, OperationAuthorize, OperationAuthorizationCode,
		OperationRevoke, OperationProfile, OperationConfiguration, OperationGuest,
		OperationTokenInfo, OperationOther, OperationAny,
	}
}

const (
	authorizePath     = "/oauth2/authorize"
	confirmPath       = "/oauth2/authorize/confirm"
	tokenPath         = "/oauth2/access_token"
	revokePath        = "/oauth2/revoke_token"
	profilePath       = "/api/users/me"
	configurationPath = "/api/service-configurations"
	guestPath         = "/api/anonymous/auth"
	tokenInfoPath     = "/api/1.0/id_token/get_token_info"
	loginPath         = "/account/login"
)

// takes tells whether a path of the service is for a method.
func takes(path, method string) bool {
	switch path {
	case authorizePath:
		return method == http.MethodGet || method == http.MethodPost
	case confirmPath, tokenPath, revokePath, guestPath:
		return method == http.MethodPost
	}
	return method == http.MethodGet
}

func operationOf(method, path, grantType string) Operation {
	if !takes(path, method) {
		return OperationOther
	}
	switch path {
	case authorizePath, confirmPath:
		return OperationAuthorize
	case tokenPath:
		return operationOfGrant(grantType)
	case revokePath:
		return OperationRevoke
	case profilePath:
		return OperationProfile
	case configurationPath:
		return OperationConfiguration
	case guestPath:
		return OperationGuest
	case tokenInfoPath:
		return OperationTokenInfo
	}
	return OperationOther
}

func operationOfGrant(grantType string) Operation {
	switch grantType {
	case "password":
		return OperationPassword
	case "refresh_token":
		return OperationRefresh
	case "authorization_code":
		return OperationAuthorizationCode
	}
	return OperationOther
}
