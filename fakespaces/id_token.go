package fakespaces

// idTokenIssuer is one of the issuers in the vendor's examples; clients should
// not depend on it.
const idTokenIssuer = "avayacloud.com"

// idToken is a JWT with the claims of the vendor's example.
func (s *Service) idToken(g *grant) string {
	issued := s.now()
	token := s.sign(object{
		{"sub", personID("accounts", g.user)},
		{"iss", idTokenIssuer},
		{"exp", issued.Add(s.settings.tokenLifetime).Unix()},
		{"iat", issued.Unix()},
		{"id_token_version", "1.0"},
		{"email", g.user},
		{"aud", g.client},
	})
	s.secrets.note(token)
	return token
}
