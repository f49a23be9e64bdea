package fakespaces

import (
	"errors"
	"net/http"
)

// authorize serves the browser (vendor page authorizingrequests): GET
// /oauth2/authorize shows a sign-in page, which posts to the same address, and
// the consent page after it posts to /oauth2/authorize/confirm.
func (s *Service) authorize(call *Call) *answer {
	if call.path == confirmPath {
		return s.confirm(call)
	}
	if err := s.mistrust(call.Query); err != nil {
		return refusalPage(err)
	}
	asked, wrong := s.readAuthorization(call.Query)
	if wrong != nil {
		return asked.objectTo(*wrong)
	}
	if call.method == http.MethodGet {
		return signInPage(signInForm{Client: asked.client})
	}
	return s.signInByPage(call, asked)
}

// signInByPage judges the name and password. A wrong one is answered as a page,
// not as an error, like Django's own login view does.
func (s *Service) signInByPage(call *Call, asked authorization) *answer {
	username, password := call.Form.Get("username"), call.Form.Get("password")
	if right, known := s.users[username]; !known || right != password {
		return signInPage(signInForm{Client: asked.client, Username: username, Wrong: true})
	}
	return consentPage(consentForm{
		Client:   asked.client,
		Username: username,
		Scopes:   meanings(asked.scopes),
		Ticket:   s.newTicket(asked, username),
	})
}

// confirm does what the person decided on the consent page.
func (s *Service) confirm(call *Call) *answer {
	shown := s.tickets[call.Form.Get("ticket")]
	if err := s.checkTicket(shown); err != nil {
		return refusalPage(err)
	}
	switch call.Form.Get("decision") {
	case "allow":
		shown.used = true
		return sentBack(shown.withCode(s.newCode(shown.authorization, shown.user)))
	case "deny":
		shown.used = true
		return shown.objectTo(denial)
	}
	return refusalPage(errors.New("neither allowed nor denied"))
}
