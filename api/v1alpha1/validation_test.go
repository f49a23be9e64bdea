// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// creation is a new object and the words that a person reads when it is refused.
type creation struct {
	given string
	edits []edit
	want  string
}

// Messages that several cases share.
const (
	needsPassword       = "spec.password: Required value: grantType Password needs the section password"
	needsRefreshToken   = "spec.refreshToken: Required value: grantType RefreshToken needs the section refreshToken"
	needsClient         = "spec.clientSecretRef: Required value: this grantType needs clientSecretRef"
	badSecretName       = "a Secret's name has only lower-case letters, digits, '-' and '.'"
	badSecretKey        = "a key of a Secret has only letters, digits, '-', '_' and '.'"
	badScope            = "a scope has only printable ASCII characters, without quotes, backslashes and spaces"
	operatorsOwnInput   = "Secrets whose names end in -grant are the operator's own and cannot be inputs"
	operatorsOwnSecret  = "spec.secretName: Forbidden: the published Secret's name must not end in -grant"
	reservedType        = "types under kubernetes.io/, bootstrap.kubernetes.io/, helm.sh/ and auth.spaces-operator.io/ are reserved"
	reservedLabels      = "labels under kubernetes.io/, k8s.io/, helm.sh/, auth.spaces-operator.io/ and their subdomains, argocd.argoproj.io/ and sealedsecrets.bitnami.com/ are reserved"
	reservedAnnotations = "annotations under kubernetes.io/, k8s.io/, helm.sh/, auth.spaces-operator.io/ and their subdomains, argocd.argoproj.io/ and sealedsecrets.bitnami.com/ are reserved"
	operatorsOwnLabel   = "the label app.kubernetes.io/managed-by is set by the operator"
	reservedKey         = "keys of lower-case letters, digits and underscores are reserved for the operator"
	formatsKey          = "token.json, token.env and curl.conf are written by the formats"
	bothRenewals        = "spec.renewal: Forbidden: set renewBeforePercent or renewBeforeSeconds, not both"
	fixedGrantType      = "spec.grantType: Forbidden: grantType cannot be changed: create a new SpacesCredential instead"
	fixedSecretName     = "spec.secretName: Forbidden: the published Secret cannot be renamed"
	needsCode           = "spec.authorizationCode: Required value: grantType AuthorizationCode needs the section authorizationCode"
	needsAnonymous      = "spec.anonymous: Required value: grantType Anonymous needs the section anonymous"
	badRedirectURI      = "a redirect URI begins with https://, or with http:// and a loopback host"
	fixedSecretType     = "spec.secretTemplate.type: Forbidden: the type of the published Secret cannot be changed"
)

func judgeCreation(t *testing.T, cases map[string]creation) {
	t.Helper()
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			obj := object(t, c.given, c.edits...)
			expectVerdict(t, cluster.Create(t.Context(), obj, client.DryRunAll), c.want)
		})
	}
}

func TestGrantUnion(t *testing.T) {
	password := map[string]any{"secretRef": map[string]any{"name": "bot-login"}}
	refreshToken := map[string]any{"secretRef": map[string]any{"name": "seed"}}
	judgeCreation(t, map[string]creation{
		"a password grant is complete with a client and a login":       {withPassword, nil, ""},
		"a refresh token grant is complete with a client and a seed":   {withRefreshToken, nil, ""},
		"spec cannot be left out":                                      {withPassword, []edit{remove("spec")}, "spec: Required value"},
		"grantType cannot be left out":                                 {withPassword, []edit{remove("spec.grantType")}, "spec.grantType: Required value"},
		"a grantType that does not exist is refused":                   {withPassword, []edit{set("spec.grantType", "Carrier pigeon")}, `spec.grantType: Unsupported value: "Carrier pigeon": supported values: "Password", "RefreshToken", "AuthorizationCode", "Anonymous"`},
		"Password needs its section":                                   {withPassword, []edit{remove("spec.password")}, needsPassword},
		"Password does not take the section of another grant":          {withPassword, []edit{set("spec.refreshToken", refreshToken)}, "spec.refreshToken: Forbidden: the section refreshToken belongs to grantType RefreshToken alone: remove it"},
		"Password with the wrong section alone is told both":           {withPassword, []edit{remove("spec.password"), set("spec.refreshToken", refreshToken)}, needsPassword},
		"RefreshToken needs its section":                               {withRefreshToken, []edit{remove("spec.refreshToken")}, needsRefreshToken},
		"RefreshToken does not take the section of another grant":      {withRefreshToken, []edit{set("spec.password", password)}, "spec.password: Forbidden: the section password belongs to grantType Password alone: remove it"},
		"Password needs a client":                                      {withPassword, []edit{remove("spec.clientSecretRef")}, needsClient},
		"RefreshToken needs a client":                                  {withRefreshToken, []edit{remove("spec.clientSecretRef")}, needsClient},
		"a login Secret must be named":                                 {withPassword, []edit{remove("spec.password.secretRef.name")}, "spec.password.secretRef.name: Required value"},
		"a seed Secret must be named":                                  {withRefreshToken, []edit{remove("spec.refreshToken.secretRef.name")}, "spec.refreshToken.secretRef.name: Required value"},
		"a client Secret must be named":                                {withPassword, []edit{remove("spec.clientSecretRef.name")}, "spec.clientSecretRef.name: Required value"},
		"scopes can be chosen for Password":                            {withPassword, []edit{set("spec.scopes", list("email", "https://www.onesna.com/auth/logan"))}, ""},
		"scopes cannot be chosen for RefreshToken":                     {withRefreshToken, []edit{set("spec.scopes", list("email"))}, "spec.scopes: Forbidden: scopes can be chosen with grantType Password and AuthorizationCode alone"},
		"renewal by percent is fine":                                   {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(20))}, ""},
		"renewal by seconds is fine":                                   {withPassword, []edit{set("spec.renewal.renewBeforeSeconds", int64(600))}, ""},
		"an empty renewal means the implied one":                       {withPassword, []edit{set("spec.renewal", map[string]any{})}, ""},
		"renewal by percent and seconds is a contradiction":            {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(20)), set("spec.renewal.renewBeforeSeconds", int64(600))}, bothRenewals},
		"a client and a login may share one Secret":                    {withPassword, []edit{set("spec.password.secretRef.name", "spaces-client")}, ""},
		"a deletion policy that does not exist is refused":             {withPassword, []edit{set("spec.secretDeletionPolicy", "Keep")}, `spec.secretDeletionPolicy: Unsupported value: "Keep": supported values: "Delete", "Retain"`},
		"a revocation policy that does not exist is refused":           {withPassword, []edit{set("spec.revocation.policy", "Always")}, `spec.revocation.policy: Unsupported value: "Always": supported values: "OnDelete", "Never"`},
		"a format that does not exist is refused":                      {withPassword, []edit{set("spec.secretTemplate.formats", list("TOML"))}, `spec.secretTemplate.formats[0]: Unsupported value: "TOML": supported values: "JSON", "Dotenv", "Curl"`},
		"every format may be listed, with templates beside":            {withPassword, []edit{set("spec.secretTemplate.formats", list("JSON", "Dotenv", "Curl")), set("spec.secretTemplate.data", list(entry("client.toml")))}, ""},
		"a host can nowhere be written":                                {withPassword, []edit{set("spec.accountsURL", "https://collector.example.com")}, `unknown field "spec.accountsURL"`},
		"another namespace can nowhere be written":                     {withPassword, []edit{set("spec.clientSecretRef.namespace", "kube-system")}, `unknown field "spec.clientSecretRef.namespace"`},
		"all that is optional may be written with its implied meaning": {withPassword, []edit{set("spec.environment", "production"), set("spec.secretName", "meeting-bot"), set("spec.secretTemplate.type", "Opaque"), set("spec.scopes", list("email", "profile", "spaces")), set("spec.renewal.renewBeforePercent", int64(33))}, ""},
	})
}

func TestBrowserAndGuest(t *testing.T) {
	code := map[string]any{"secretRef": map[string]any{"name": "meeting-bot-login"}, "redirectURI": "http://localhost:3000"}
	cases := map[string]creation{
		"a code is complete with a client and a redirect URI":  {withCode, nil, ""},
		"a guest is complete with an empty section":            {asGuest, nil, ""},
		"AuthorizationCode needs its section":                  {withCode, []edit{remove("spec.authorizationCode")}, needsCode},
		"AuthorizationCode needs a client":                     {withCode, []edit{remove("spec.clientSecretRef")}, needsClient},
		"AuthorizationCode needs a redirect URI":               {withCode, []edit{remove("spec.authorizationCode.redirectURI")}, "spec.authorizationCode.redirectURI: Required value"},
		"a code's Secret must be named":                        {withCode, []edit{remove("spec.authorizationCode.secretRef.name")}, "spec.authorizationCode.secretRef.name: Required value"},
		"scopes can be chosen for AuthorizationCode":           {withCode, []edit{set("spec.scopes", list("email"))}, ""},
		"a code's section belongs to no other grant":           {withPassword, []edit{set("spec.authorizationCode", code)}, "the section authorizationCode belongs to grantType AuthorizationCode alone: remove it"},
		"Anonymous needs its section":                          {asGuest, []edit{remove("spec.anonymous")}, needsAnonymous},
		"a guest's section belongs to no other grant":          {withPassword, []edit{set("spec.anonymous", map[string]any{})}, "the section anonymous belongs to grantType Anonymous alone: remove it"},
		"a guest has no client":                                {asGuest, []edit{set("spec.clientSecretRef", map[string]any{"name": "spaces-client"})}, "spec.clientSecretRef: Forbidden: a guest signs in without a client"},
		"a guest has no scopes":                                {asGuest, []edit{set("spec.scopes", list("email"))}, "spec.scopes: Forbidden"},
		"a guest may have names and a picture":                 {asGuest, []edit{set("spec.anonymous", map[string]any{"displayName": "Lobby kiosk é", "username": "kiosk@example.com", "pictureURL": "https://example.com/p.png"})}, ""},
		"a guest's display name has no line breaks":            {asGuest, []edit{set("spec.anonymous.displayName", "a\nb")}, "a display name has no control characters"},
		"a guest's display name has 128 characters at most":    {asGuest, []edit{set("spec.anonymous.displayName", chars(129))}, "Too long"},
		"a guest's user name has no spaces":                    {asGuest, []edit{set("spec.anonymous.username", "a b")}, "a guest's user name has only printable ASCII characters"},
		"a guest's picture is a URL":                           {asGuest, []edit{set("spec.anonymous.pictureURL", "javascript:alert(1)")}, "a picture's URL begins with https://"},
		"the token is not published over the code":             {withCode, []edit{set("spec.secretName", "meeting-bot-login")}, "over the Secret that authorizationCode.secretRef names"},
		"a code called like the credential overwrites as well": {withCode, []edit{set("spec.authorizationCode.secretRef.name", "meeting-bot")}, "over the Secret that authorizationCode.secretRef names"},
		"a code's Secret cannot be a state Secret":             {withCode, []edit{set("spec.authorizationCode.secretRef.name", "other-grant")}, operatorsOwnInput},
		"a code's Secret has a name without capitals":          {withCode, []edit{set("spec.authorizationCode.secretRef.name", "Login")}, badSecretName},
		"a code's key has no slash":                            {withCode, []edit{set("spec.authorizationCode.secretRef.codeKey", "a/b")}, badSecretKey},
		"a verifier's key has no space":                        {withCode, []edit{set("spec.authorizationCode.secretRef.codeVerifierKey", "a b")}, badSecretKey},
		"both checks may be asked for":                         {withPassword, []edit{set("spec.verification", list("TokenInfo", "UserProfile"))}, ""},
		"a guest's profile may be checked":                     {asGuest, []edit{set("spec.verification", list("UserProfile"))}, ""},
		"a guest has no ID token to check":                     {asGuest, []edit{set("spec.verification", list("UserProfile", "TokenInfo"))}, "spec.verification: Forbidden: TokenInfo checks an ID token, which a guest does not have"},
		"a check that does not exist is refused":               {withPassword, []edit{set("spec.verification", list("Horoscope"))}, `spec.verification[0]: Unsupported value: "Horoscope": supported values: "TokenInfo", "UserProfile"`},
		"a check is listed once":                               {withPassword, []edit{set("spec.verification", list("TokenInfo", "TokenInfo"))}, `spec.verification[1]: Duplicate value: "TokenInfo"`},
	}
	cases["more redirect URIs may be given"] = creation{withCode, []edit{set("spec.authorizationCode.redirectURIs", list("http://localhost:3001", "https://bot.example.com/callback"))}, ""}
	cases["a redirect URI is listed once"] = creation{withCode, []edit{set("spec.authorizationCode.redirectURIs", list("http://localhost:1", "http://localhost:1"))}, `spec.authorizationCode.redirectURIs[1]: Duplicate value`}
	cases["a list of redirect URIs is not empty"] = creation{withCode, []edit{set("spec.authorizationCode.redirectURIs", list())}, "spec.authorizationCode.redirectURIs"}
	cases["more redirect URIs are eight at most"] = creation{withCode, []edit{set("spec.authorizationCode.redirectURIs", list("https://a/1", "https://a/2", "https://a/3", "https://a/4", "https://a/5", "https://a/6", "https://a/7", "https://a/8", "https://a/9"))}, "Too many"}
	for _, uri := range []string{"http://localhost:3000", "http://localhost:3000/", "http://localhost", "http://127.0.0.1:8000/callback", "http://[::1]:8000/x?y=z", "https://bot.example.com/callback"} {
		cases["a redirect URI may be "+uri] = creation{withCode, []edit{set("spec.authorizationCode.redirectURI", uri)}, ""}
	}
	for _, uri := range []string{"http://example.com/", "http://localhost.example.com/", "http://localhost:3000/#top", "http://localhost:3000/a b", "javascript:alert(1)", "localhost:3000", "urn:ietf:wg:oauth:2.0:oob", "http://127.0.0.1.example.com/"} {
		cases["a redirect URI cannot be "+uri] = creation{withCode, []edit{set("spec.authorizationCode.redirectURI", uri)}, badRedirectURI}
		cases["nor can another one be "+uri] = creation{withCode, []edit{set("spec.authorizationCode.redirectURIs", list("http://localhost:1", uri))}, badRedirectURI}
	}
	judgeCreation(t, cases)
}

func TestSets(t *testing.T) {
	judgeCreation(t, map[string]creation{
		"a scope is listed once":        {withPassword, []edit{set("spec.scopes", list("email", "email"))}, `spec.scopes[1]: Duplicate value: "email"`},
		"a format is listed once":       {withPassword, []edit{set("spec.secretTemplate.formats", list("JSON", "JSON"))}, `spec.secretTemplate.formats[1]: Duplicate value: "JSON"`},
		"a template key is listed once": {withPassword, []edit{set("spec.secretTemplate.data", list(entry("a.b"), entry("a.b")))}, `spec.secretTemplate.data[1]: Duplicate value: {"key":"a.b"}`},
	})
}

func TestNames(t *testing.T) {
	judgeCreation(t, map[string]creation{
		"a name of 63 characters is the longest":                         {withPassword, []edit{set("metadata.name", chars(63))}, ""},
		"a name of 64 characters is too long":                            {withPassword, []edit{set("metadata.name", chars(64))}, "metadata.name must have at most 63 characters"},
		"a Secret of 253 characters is the longest":                      {withPassword, []edit{set("spec.secretName", chars(253))}, ""},
		"a Secret of 254 characters is too long":                         {withPassword, []edit{set("spec.secretName", chars(254))}, "spec.secretName: Too long: may not be more than 253"},
		"an empty secretName is not the same as none":                    {withPassword, []edit{set("spec.secretName", "")}, "spec.secretName"},
		"a Secret's name has no capitals":                                {withPassword, []edit{set("spec.secretName", "Token")}, badSecretName},
		"a client Secret's name has no capitals":                         {withPassword, []edit{set("spec.clientSecretRef.name", "Client")}, badSecretName},
		"a login Secret's name has no slash":                             {withPassword, []edit{set("spec.password.secretRef.name", "kube-system/token")}, badSecretName},
		"a seed Secret's name has no underscore":                         {withRefreshToken, []edit{set("spec.refreshToken.secretRef.name", "my_seed")}, badSecretName},
		"a Secret's name may hold dots":                                  {withPassword, []edit{set("spec.secretName", "token.v1")}, ""},
		"a published Secret cannot take a state Secret's name":           {withPassword, []edit{set("spec.secretName", "meeting-bot-grant")}, operatorsOwnSecret},
		"a published Secret cannot take another's state name":            {withPassword, []edit{set("spec.secretName", "other-grant")}, operatorsOwnSecret},
		"a credential called -grant implies a state Secret's name":       {withPassword, []edit{set("metadata.name", "other-grant")}, operatorsOwnSecret},
		"a credential called -grant may publish under another name":      {withPassword, []edit{set("metadata.name", "other-grant"), set("spec.secretName", "other-token")}, ""},
		"a client Secret cannot be a state Secret":                       {withPassword, []edit{set("spec.clientSecretRef.name", "other-grant")}, operatorsOwnInput},
		"a login Secret cannot be a state Secret":                        {withPassword, []edit{set("spec.password.secretRef.name", "meeting-bot-grant")}, operatorsOwnInput},
		"a seed Secret cannot be a state Secret":                         {withRefreshToken, []edit{set("spec.refreshToken.secretRef.name", "other-grant")}, operatorsOwnInput},
		"the token is not published over the client":                     {withPassword, []edit{set("spec.secretName", "spaces-client")}, "spec.secretName: Forbidden: the token would be published over the Secret that clientSecretRef names"},
		"the token is not published over the login":                      {withPassword, []edit{set("spec.secretName", "bot-login")}, "over the Secret that password.secretRef names"},
		"the token is not published over the seed":                       {withRefreshToken, []edit{set("spec.secretName", "seed")}, "over the Secret that refreshToken.secretRef names"},
		"a client called like the credential is an implied overwriting":  {withPassword, []edit{set("spec.clientSecretRef.name", "meeting-bot")}, "over the Secret that clientSecretRef names"},
		"a login called like the credential is an implied overwriting":   {withPassword, []edit{set("spec.password.secretRef.name", "meeting-bot")}, "over the Secret that password.secretRef names"},
		"a seed called like the credential is an implied overwriting":    {withRefreshToken, []edit{set("spec.refreshToken.secretRef.name", "meeting-bot")}, "over the Secret that refreshToken.secretRef names"},
		"a login called like the credential is fine beside a secretName": {withPassword, []edit{set("spec.password.secretRef.name", "meeting-bot"), set("spec.secretName", "meeting-bot-token")}, ""},
		"an environment of 63 characters is the longest":                 {withPassword, []edit{set("spec.environment", chars(63))}, ""},
		"an environment of 64 characters is too long":                    {withPassword, []edit{set("spec.environment", chars(64))}, "spec.environment: Too long: may not be more than 63"},
		"an environment is not a URL":                                    {withPassword, []edit{set("spec.environment", "https://example.com")}, "an environment's name has only lower-case letters, digits and '-'"},
		"an empty environment is not the same as none":                   {withPassword, []edit{set("spec.environment", "")}, "spec.environment"},
		"a client ID's key has no slash":                                 {withPassword, []edit{set("spec.clientSecretRef.clientIDKey", "a/b")}, badSecretKey},
		"a client secret's key has no space":                             {withPassword, []edit{set("spec.clientSecretRef.clientSecretKey", "a b")}, badSecretKey},
		"a user name's key has no slash":                                 {withPassword, []edit{set("spec.password.secretRef.usernameKey", "a/b")}, badSecretKey},
		"a password's key is not endless":                                {withPassword, []edit{set("spec.password.secretRef.passwordKey", chars(254))}, "spec.password.secretRef.passwordKey: Too long"},
		"a seed's key has no slash":                                      {withRefreshToken, []edit{set("spec.refreshToken.secretRef.key", "a/b")}, badSecretKey},
		"keys of any other Secret shape are fine":                        {withPassword, []edit{set("spec.password.secretRef.usernameKey", "USER-name.v1_x")}, ""},
	})
}

func TestBounds(t *testing.T) {
	scopes := func(n int) []any {
		var result []any
		for i := range n {
			result = append(result, fmt.Sprintf("scope-%d", i))
		}
		return result
	}
	entries := func(n int) []any {
		var result []any
		for i := range n {
			result = append(result, entry(fmt.Sprintf("file-%d.txt", i)))
		}
		return result
	}
	pairs := func(n int) map[string]any {
		result := map[string]any{}
		for i := range n {
			result[fmt.Sprintf("example.com/key-%d", i)] = "value"
		}
		return result
	}
	template := func(size int) []any {
		return list(map[string]any{"key": "a.b", "template": chars(size)})
	}
	judgeCreation(t, map[string]creation{
		"renewal at 5 percent":                      {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(5))}, ""},
		"renewal below 5 percent":                   {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(4))}, "spec.renewal.renewBeforePercent in body should be greater than or equal to 5"},
		"renewal at 50 percent":                     {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(50))}, ""},
		"renewal above 50 percent":                  {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(51))}, "spec.renewal.renewBeforePercent in body should be less than or equal to 50"},
		"renewal at 5 seconds":                      {withPassword, []edit{set("spec.renewal.renewBeforeSeconds", int64(5))}, ""},
		"renewal below 5 seconds":                   {withPassword, []edit{set("spec.renewal.renewBeforeSeconds", int64(4))}, "should be greater than or equal to 5"},
		"renewal a week early":                      {withPassword, []edit{set("spec.renewal.renewBeforeSeconds", int64(604800))}, ""},
		"renewal more than a week early":            {withPassword, []edit{set("spec.renewal.renewBeforeSeconds", int64(604801))}, "should be less than or equal to 604800"},
		"a revocation that does not wait":           {withPassword, []edit{set("spec.revocation.deadlineSeconds", int64(0))}, ""},
		"a revocation that waits less than nothing": {withPassword, []edit{set("spec.revocation.deadlineSeconds", int64(-1))}, "should be greater than or equal to 0"},
		"a revocation that waits a day":             {withPassword, []edit{set("spec.revocation.deadlineSeconds", int64(86400))}, ""},
		"a revocation that waits longer than a day": {withPassword, []edit{set("spec.revocation.deadlineSeconds", int64(86401))}, "should be less than or equal to 86400"},
		"32 scopes": {withPassword, []edit{set("spec.scopes", scopes(32))}, ""},
		"33 scopes": {withPassword, []edit{set("spec.scopes", scopes(33))}, "spec.scopes: Too many: 33: must have at most 32 items"},
		"an empty list of scopes is not the same":       {withPassword, []edit{set("spec.scopes", list())}, "spec.scopes in body should have at least 1 items"},
		"a scope of 256 characters":                     {withPassword, []edit{set("spec.scopes", list(chars(256)))}, ""},
		"a scope of 257 characters":                     {withPassword, []edit{set("spec.scopes", list(chars(257)))}, "spec.scopes[0]: Too long: may not be more than 256"},
		"an empty scope":                                {withPassword, []edit{set("spec.scopes", list(""))}, "spec.scopes[0]"},
		"a scope with a space":                          {withPassword, []edit{set("spec.scopes", list("email profile"))}, badScope},
		"a scope with a double quote":                   {withPassword, []edit{set("spec.scopes", list(`e"mail`))}, badScope},
		"a scope with a single quote":                   {withPassword, []edit{set("spec.scopes", list(`e'mail`))}, badScope},
		"a scope with a backslash":                      {withPassword, []edit{set("spec.scopes", list(`e\mail`))}, badScope},
		"a scope with a line break":                     {withPassword, []edit{set("spec.scopes", list("email\n"))}, badScope},
		"a scope with a control character":              {withPassword, []edit{set("spec.scopes", list("e\x07mail"))}, badScope},
		"a scope beyond ASCII":                          {withPassword, []edit{set("spec.scopes", list("émail"))}, badScope},
		"a scope with every other sign":                 {withPassword, []edit{set("spec.scopes", list("!#$%&()*+,-./:;<=>?@[]^_`{|}~"))}, ""},
		"32 labels":                                     {withPassword, []edit{set("spec.secretTemplate.labels", pairs(32))}, ""},
		"33 labels":                                     {withPassword, []edit{set("spec.secretTemplate.labels", pairs(33))}, "spec.secretTemplate.labels: Too many: 33: must have at most 32 items"},
		"a label's value is not endless":                {withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{"team": chars(64)})}, "spec.secretTemplate.labels.team: Too long: may not be more than 63"},
		"a label's value is not free text":              {withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{"team": "the a team"})}, "a label's value has at most 63 letters, digits"},
		"a label's value may be empty":                  {withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{"team": ""})}, ""},
		"a label's key is not free text":                {withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{"my team": "a"})}, "a label's key is a name, or a DNS name, '/' and a name"},
		"a label's key is not endless":                  {withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{chars(64): "a"})}, "a label's key is a name, or a DNS name, '/' and a name"},
		"32 labels of the state":                        {withPassword, []edit{set("spec.stateLabels", pairs(32))}, ""},
		"33 labels of the state":                        {withPassword, []edit{set("spec.stateLabels", pairs(33))}, "spec.stateLabels: Too many: 33: must have at most 32 items"},
		"a state label's value is not endless":          {withPassword, []edit{set("spec.stateLabels", map[string]any{"team": chars(64)})}, "spec.stateLabels.team: Too long: may not be more than 63"},
		"a state label's value is not free text":        {withPassword, []edit{set("spec.stateLabels", map[string]any{"team": "the a team"})}, "a label's value has at most 63 letters, digits"},
		"a state label's value may be empty":            {withPassword, []edit{set("spec.stateLabels", map[string]any{"team": ""})}, ""},
		"a state label's key is not free text":          {withPassword, []edit{set("spec.stateLabels", map[string]any{"my team": "a"})}, "a label's key is a name, or a DNS name, '/' and a name"},
		"a state without labels may be written":         {withPassword, []edit{set("spec.stateLabels", map[string]any{})}, ""},
		"a state of any grant may have labels":          {asGuest, []edit{set("spec.stateLabels", map[string]any{"team": "a"})}, ""},
		"32 annotations":                                {withPassword, []edit{set("spec.secretTemplate.annotations", pairs(32))}, ""},
		"33 annotations":                                {withPassword, []edit{set("spec.secretTemplate.annotations", pairs(33))}, "spec.secretTemplate.annotations: Too many: 33: must have at most 32 items"},
		"an annotation may be free text":                {withPassword, []edit{set("spec.secretTemplate.annotations", map[string]any{"example.com/note": "the a team: \"x\"\n"})}, ""},
		"an annotation of 4096 characters":              {withPassword, []edit{set("spec.secretTemplate.annotations", map[string]any{"note": chars(4096)})}, ""},
		"an annotation of 4097 characters":              {withPassword, []edit{set("spec.secretTemplate.annotations", map[string]any{"note": chars(4097)})}, "spec.secretTemplate.annotations.note: Too long: may not be more than 4096"},
		"an annotation's key is not free text":          {withPassword, []edit{set("spec.secretTemplate.annotations", map[string]any{"my note": "a"})}, "an annotation's key is a name, or a DNS name, '/' and a name"},
		"32 templates":                                  {withPassword, []edit{set("spec.secretTemplate.data", entries(32))}, ""},
		"33 templates":                                  {withPassword, []edit{set("spec.secretTemplate.data", entries(33))}, "spec.secretTemplate.data: Too many: 33: must have at most 32 items"},
		"a template of 8 KiB":                           {withPassword, []edit{set("spec.secretTemplate.data", template(8192))}, ""},
		"a template of more than 8 KiB":                 {withPassword, []edit{set("spec.secretTemplate.data", template(8193))}, "spec.secretTemplate.data[0].template: Too long: may not be more than 8192"},
		"a template that is empty":                      {withPassword, []edit{set("spec.secretTemplate.data", template(0))}, "spec.secretTemplate.data[0].template"},
		"a template's key is not endless":               {withPassword, []edit{set("spec.secretTemplate.data", list(entry("."+chars(253))))}, "spec.secretTemplate.data[0].key: Too long: may not be more than 253"},
		"a Secret type of 253 characters":               {withPassword, []edit{set("spec.secretTemplate.type", chars(253))}, ""},
		"a Secret type of 254 characters":               {withPassword, []edit{set("spec.secretTemplate.type", chars(254))}, "spec.secretTemplate.type: Too long: may not be more than 253"},
		"a Secret type with a space":                    {withPassword, []edit{set("spec.secretTemplate.type", "my type")}, "a Secret's type has only letters, digits"},
		"a Secret type of somebody's own":               {withPassword, []edit{set("spec.secretTemplate.type", "servicebinding.io/avaya-spaces")}, ""},
		"a Secret type that only looks like a reserved": {withPassword, []edit{set("spec.secretTemplate.type", "mykubernetes.io/token")}, ""},
	})
}

func TestReservedNames(t *testing.T) {
	cases := map[string]creation{}
	for _, reserved := range []string{
		"kubernetes.io/service-account-token", "kubernetes.io/tls", "kubernetes.io/basic-auth",
		"bootstrap.kubernetes.io/token", "helm.sh/release.v1", "auth.spaces-operator.io/grant-state",
	} {
		cases["the Secret type "+reserved+" is reserved"] = creation{withPassword, []edit{set("spec.secretTemplate.type", reserved)}, reservedType}
	}
	for _, reserved := range []string{
		"kubernetes.io/a", "node.kubernetes.io/a", "x.y.kubernetes.io/a", "x.app.kubernetes.io/a", "k8s.io/a", "sub.k8s.io/a",
		"helm.sh/hook", "sub.helm.sh/a", "auth.spaces-operator.io/secret", "sub.auth.spaces-operator.io/a",
		"argocd.argoproj.io/instance", "sealedsecrets.bitnami.com/managed",
	} {
		cases["the label "+reserved+" is reserved"] = creation{withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{reserved: "a"})}, reservedLabels}
		cases["the state label "+reserved+" is reserved"] = creation{withPassword, []edit{set("spec.stateLabels", map[string]any{reserved: "a"})}, reservedLabels}
		cases["the annotation "+reserved+" is reserved"] = creation{withPassword, []edit{set("spec.secretTemplate.annotations", map[string]any{reserved: "a"})}, reservedAnnotations}
	}
	for _, free := range []string{
		"team", "kubernetes.io", "example.com/kubernetes.io", "app.kubernetes.io/part-of", "mykubernetes.io/a", "kubernetes.io.example.com/a", "argoproj.io/a",
	} {
		cases["the label "+free+" is free"] = creation{withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{free: "a"})}, ""}
		cases["the state label "+free+" is free"] = creation{withPassword, []edit{set("spec.stateLabels", map[string]any{free: "a"})}, ""}
		cases["the annotation "+free+" is free"] = creation{withPassword, []edit{set("spec.secretTemplate.annotations", map[string]any{free: "a"})}, ""}
	}
	for _, argoCD := range []string{"argocd.argoproj.io/sync-options", "argocd.argoproj.io/compare-options"} {
		cases["the label "+argoCD+" is reserved"] = creation{withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{argoCD: "a"})}, reservedLabels}
		cases["the annotation "+argoCD+" is free"] = creation{withPassword, []edit{set("spec.secretTemplate.annotations", map[string]any{argoCD: "Prune=false"})}, ""}
	}
	cases["the label app.kubernetes.io/managed-by is the operator's"] = creation{withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{"app.kubernetes.io/managed-by": "me"})}, operatorsOwnLabel}
	cases["the state label app.kubernetes.io/managed-by is the operator's"] = creation{withPassword, []edit{set("spec.stateLabels", map[string]any{"app.kubernetes.io/managed-by": "me"})}, operatorsOwnLabel}
	for _, reserved := range []string{"access_token", "token", "expires_at", "a", "socket_url", "refresh_token", "x1"} {
		cases["the key "+reserved+" is reserved"] = creation{withPassword, []edit{set("spec.secretTemplate.data", list(entry(reserved)))}, reservedKey}
	}
	for _, reserved := range []string{"token.json", "token.env", "curl.conf"} {
		cases["the key "+reserved+" belongs to a format"] = creation{withPassword, []edit{set("spec.secretTemplate.data", list(entry(reserved)))}, formatsKey}
	}
	for _, free := range []string{"client.toml", "TOKEN", "my-token", "_token", "1token", "aToken", ".netrc"} {
		cases["the key "+free+" is free"] = creation{withPassword, []edit{set("spec.secretTemplate.data", list(entry(free)))}, ""}
	}
	for _, bad := range []string{".", "..", "..data", "a/b", "a b"} {
		cases["the key "+bad+" cannot stand in a Secret"] = creation{withPassword, []edit{set("spec.secretTemplate.data", list(entry(bad)))}, badSecretKey}
	}
	judgeCreation(t, cases)
}

// change is an object that exists, an edit, and the words that refuse the edit.
type change struct {
	given   string
	before  []edit
	changes []edit
	want    string
}

// Comparing effective values is what these cases prove: an absent field that is added
// later counts as a change exactly if it changes what was implied.
func TestChanges(t *testing.T) {
	password := map[string]any{"secretRef": map[string]any{"name": "bot-login"}}
	for sentence, c := range map[string]change{
		"a grantType stays": {withRefreshToken, nil, []edit{set("spec.grantType", "Password"), remove("spec.refreshToken"), set("spec.password", password)}, fixedGrantType},

		"a secretName stays":                              {withPassword, []edit{set("spec.secretName", "token")}, []edit{set("spec.secretName", "other")}, fixedSecretName},
		"adding the implied secretName changes nothing":   {withPassword, nil, []edit{set("spec.secretName", "meeting-bot")}, ""},
		"adding another secretName is a change":           {withPassword, nil, []edit{set("spec.secretName", "other")}, fixedSecretName},
		"removing the implied secretName changes nothing": {withPassword, []edit{set("spec.secretName", "meeting-bot")}, []edit{remove("spec.secretName")}, ""},
		"removing another secretName is a change":         {withPassword, []edit{set("spec.secretName", "token")}, []edit{remove("spec.secretName")}, fixedSecretName},

		"a Secret's type stays":                                  {withPassword, []edit{set("spec.secretTemplate.type", "example.com/a")}, []edit{set("spec.secretTemplate.type", "example.com/b")}, fixedSecretType},
		"adding a template with the implied type is fine":        {withPassword, nil, []edit{set("spec.secretTemplate.type", "Opaque")}, ""},
		"adding a template without a type is fine":               {withPassword, nil, []edit{set("spec.secretTemplate.formats", list("JSON"))}, ""},
		"adding a template with another type is a change":        {withPassword, nil, []edit{set("spec.secretTemplate.type", "example.com/a")}, fixedSecretType},
		"adding another type to a template is a change":          {withPassword, []edit{set("spec.secretTemplate.formats", list("JSON"))}, []edit{set("spec.secretTemplate.type", "example.com/a")}, fixedSecretType},
		"adding the implied type to a template is fine":          {withPassword, []edit{set("spec.secretTemplate.formats", list("JSON"))}, []edit{set("spec.secretTemplate.type", "Opaque")}, ""},
		"removing a template with another type is a change":      {withPassword, []edit{set("spec.secretTemplate.type", "example.com/a")}, []edit{remove("spec.secretTemplate")}, fixedSecretType},
		"removing another type is a change":                      {withPassword, []edit{set("spec.secretTemplate.type", "example.com/a")}, []edit{remove("spec.secretTemplate.type")}, fixedSecretType},
		"removing a template with the implied type is fine":      {withPassword, []edit{set("spec.secretTemplate.type", "Opaque")}, []edit{remove("spec.secretTemplate")}, ""},
		"labels, annotations and formats of a template may move": {withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{"team": "a"})}, []edit{set("spec.secretTemplate.labels", map[string]any{"team": "b"}), set("spec.secretTemplate.annotations", map[string]any{"note": "x"}), set("spec.secretTemplate.formats", list("Curl"))}, ""},

		"an environment may change":                   {withPassword, nil, []edit{set("spec.environment", "staging")}, ""},
		"scopes may change":                           {withPassword, nil, []edit{set("spec.scopes", list("email"))}, ""},
		"inputs may change":                           {withPassword, nil, []edit{set("spec.clientSecretRef.name", "new-client"), set("spec.password.secretRef.name", "new-login")}, ""},
		"the other renewBefore may replace the first": {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(20))}, []edit{remove("spec.renewal.renewBeforePercent"), set("spec.renewal.renewBeforeSeconds", int64(60))}, ""},
		"the other renewBefore may not join":          {withPassword, []edit{set("spec.renewal.renewBeforePercent", int64(20))}, []edit{set("spec.renewal.renewBeforeSeconds", int64(60))}, bothRenewals},
		"both renewBefore may not come at once":       {withPassword, nil, []edit{set("spec.renewal", map[string]any{"renewBeforePercent": int64(20), "renewBeforeSeconds": int64(60)})}, bothRenewals},
		"state labels may be added later":             {withPassword, nil, []edit{set("spec.stateLabels", map[string]any{"team": "a"})}, ""},
		"state labels may change":                     {withPassword, []edit{set("spec.stateLabels", map[string]any{"team": "a"})}, []edit{set("spec.stateLabels", map[string]any{"team": "b", "tier": "c"})}, ""},
		"state labels may be removed later":           {withPassword, []edit{set("spec.stateLabels", map[string]any{"team": "a"})}, []edit{remove("spec.stateLabels")}, ""},
		"a policy may change":                         {withPassword, nil, []edit{set("spec.secretDeletionPolicy", "Retain"), set("spec.revocation.policy", "Never"), set("spec.suspend", true)}, ""},

		"a client cannot be pointed at the published Secret":         {withPassword, nil, []edit{set("spec.clientSecretRef.name", "meeting-bot")}, "over the Secret that clientSecretRef names"},
		"a login cannot be pointed at the published Secret":          {withPassword, []edit{set("spec.secretName", "token")}, []edit{set("spec.password.secretRef.name", "token")}, "over the Secret that password.secretRef names"},
		"a seed cannot be pointed at the published Secret":           {withRefreshToken, nil, []edit{set("spec.refreshToken.secretRef.name", "meeting-bot")}, "over the Secret that refreshToken.secretRef names"},
		"a redirect URI may change":                                  {withCode, nil, []edit{set("spec.authorizationCode.redirectURI", "http://localhost:4000")}, ""},
		"a guest's name may change":                                  {asGuest, nil, []edit{set("spec.anonymous.displayName", "Kiosk")}, ""},
		"a guest cannot be given a client later":                     {asGuest, nil, []edit{set("spec.clientSecretRef", map[string]any{"name": "spaces-client"})}, "a guest signs in without a client"},
		"a check of the ID token cannot be added to a guest":         {asGuest, nil, []edit{set("spec.verification", list("TokenInfo"))}, "which a guest does not have"},
		"a guest's section cannot be taken away":                     {asGuest, nil, []edit{remove("spec.anonymous")}, needsAnonymous},
		"a code cannot be pointed at the published Secret":           {withCode, nil, []edit{set("spec.authorizationCode.secretRef.name", "meeting-bot")}, "over the Secret that authorizationCode.secretRef names"},
		"a client cannot be taken away":                              {withPassword, nil, []edit{remove("spec.clientSecretRef")}, needsClient},
		"the section of a grant cannot be taken away":                {withPassword, nil, []edit{remove("spec.password")}, needsPassword},
		"an input cannot be pointed at a state Secret":               {withPassword, nil, []edit{set("spec.password.secretRef.name", "meeting-bot-grant")}, operatorsOwnInput},
		"scopes cannot be added to a refresh token":                  {withRefreshToken, nil, []edit{set("spec.scopes", list("email"))}, "spec.scopes: Forbidden"},
		"a reserved label cannot be added to a template":             {withPassword, []edit{set("spec.secretTemplate.labels", map[string]any{"team": "a"})}, []edit{set("spec.secretTemplate.labels", map[string]any{"k8s.io/a": "b"})}, reservedLabels},
		"a reserved label cannot be the first of the state":          {withPassword, nil, []edit{set("spec.stateLabels", map[string]any{"k8s.io/a": "b"})}, reservedLabels},
		"a reserved label cannot be added to those of the state":     {withPassword, []edit{set("spec.stateLabels", map[string]any{"team": "a"})}, []edit{set("spec.stateLabels", map[string]any{"team": "a", "auth.spaces-operator.io/secret": "b"})}, reservedLabels},
		"labels and finalizers of the object itself are not our say": {withPassword, nil, []edit{set("metadata.labels", map[string]any{"kubernetes.io/a": "b"}), set("metadata.finalizers", list("example.com/wait"))}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			obj := object(t, c.given, c.before...)
			create(t, obj)
			changed := object(t, c.given, append(c.before, c.changes...)...)
			changed.SetResourceVersion(obj.GetResourceVersion())
			expectVerdict(t, cluster.Update(t.Context(), changed), c.want)
		})
	}
}

// entry is a line of spec.secretTemplate.data.
func entry(key string) map[string]any {
	return map[string]any{"key": key, "template": "{{ .AccessToken }}"}
}
