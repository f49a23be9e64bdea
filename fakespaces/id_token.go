package fakespaces

// idTokenIssuer is one of the issuers in the vendor's examples; clients should
// not depend on it.
const idTokenIssuer = "avayacloud.com"

// idToken is a JWT with the claims of the vendor's example, and sid, which leads
// back to the grant.
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
		{"sid", g.id},
	})
	s.secrets.note(token)
	return token
}

// idClaims are the claims of an ID token that the service reads again.
type idClaims struct {
	Subject string `json:"sub"`
	Issuer  string `json:"iss"`
	Expires int64  `json:"exp"`
	Email   string `json:"email"`
	Client  string `json:"aud"`
	GrantID string `json:"sid"`
}

// readIDToken gives the claims and the grant of an ID token that was signed
// here, be it good or not, else two nils.
func (s *Service) readIDToken(token string) (*idClaims, *grant) {
	claims := &idClaims{}
	if !s.verify(token, claims) {
		return nil, nil
	}
	for _, g := range s.grants {
		if g.id == claims.GrantID {
			return claims, g
		}
	}
	return nil, nil // a guest's token
}
