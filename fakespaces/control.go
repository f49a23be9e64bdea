package fakespaces

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// ControlPath is where [Service.ControlHandler] wants to be mounted.
const ControlPath = "/fakespaces/"

// FaultMeaning is one entry of GET /fakespaces/faults.
type FaultMeaning struct {
	Fault    Fault  `json:"fault"`
	Meaning  string `json:"meaning"`
	DoesWork bool   `json:"doesWork"`
}

// Seed is the body of POST /fakespaces/grants; see [Service.IssueGrant].
type Seed struct {
	Client string   `json:"client"`
	User   string   `json:"user"`
	Scopes []string `json:"scopes,omitempty"`
}

// SeedAnswer is the answer to a Seed.
type SeedAnswer struct {
	RefreshToken string `json:"refreshToken"`
}

// ControlHandler serves the switches and the ledger over HTTP, for the command
// and for tests in other languages:
//
//	GET  /fakespaces/ledger    the Ledger
//	GET  /fakespaces/faults    the names of all faults, and what they mean
//	GET  /fakespaces/switches  the Switches as they stand, without secrets
//	POST /fakespaces/switches  Switches to turn; 204
//	POST /fakespaces/grants    a Seed; 201 and a SeedAnswer
//	POST /fakespaces/consents  a Decision; 200 and a DecisionAnswer
//
// A wrong body is refused with 400 and a line of text, and nothing is changed.
// Whoever can reach it rules the service, so it is a handler of its own: mount
// it at [ControlPath], where only the test can come.
func (s *Service) ControlHandler() http.Handler {
	paths := http.NewServeMux()
	paths.HandleFunc("GET "+ControlPath+"ledger", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Ledger())
	})
	paths.HandleFunc("GET "+ControlPath+"faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, faultMeanings())
	})
	paths.HandleFunc("GET "+ControlPath+"switches", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Switches())
	})
	paths.HandleFunc("POST "+ControlPath+"switches", func(w http.ResponseWriter, r *http.Request) {
		var switches Switches
		if !readJSON(w, r, &switches) {
			return
		}
		if err := s.Apply(switches); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	paths.HandleFunc("POST "+ControlPath+"grants", func(w http.ResponseWriter, r *http.Request) {
		var seed Seed
		if !readJSON(w, r, &seed) {
			return
		}
		if seed.Client == "" || seed.User == "" {
			http.Error(w, "client and user are needed", http.StatusBadRequest)
			return
		}
		token := s.IssueGrant(seed.Client, seed.User, seed.Scopes...)
		writeJSON(w, http.StatusCreated, SeedAnswer{RefreshToken: token})
	})
	paths.HandleFunc("POST "+ControlPath+"consents", s.serveDecision)
	return paths
}

func faultMeanings() []FaultMeaning {
	var all []FaultMeaning
	for _, fault := range Faults() {
		all = append(all, FaultMeaning{Fault: fault, Meaning: fault.Meaning(), DoesWork: fault.DoesWork()})
	}
	return all
}

// readJSON reads exactly one JSON value without unknown members: a misspelled
// switch must not be ignored in silence.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = fmt.Errorf("more than one JSON value")
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	// The only failure is a client that left, and nobody else needs to know.
	_ = encoder.Encode(value)
}
