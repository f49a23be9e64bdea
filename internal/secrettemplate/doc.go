// Package secrettemplate renders the keys that spec.secretTemplate.data adds to a
// published Secret. It knows nothing of Kubernetes.
//
// A template is written by whoever may create a SpacesCredential, and it runs inside
// the operator, beside everybody else's tokens. Go gives no way to stop a template
// that runs, so none may be able to run for long:
//
//   - it has no loop and no recursion. range, define, block and template are refused
//     from the parse tree; what is left visits every node at most once;
//   - its functions are those of [Functions] and no other. They are deterministic, and
//     linear in what goes in, because a chain of functions that double their input is a
//     loop in all but name;
//   - every call is metered: what goes in and what comes out is at most [MaxKey], and
//     all calls of one template together move at most a fixed number of bytes.
//
// A template that cannot work has to be found before a grant is spent for it: [Check]
// parses and tries every template with made-up values.
//
// Errors are for a person who is woken up by them: one line that names the key and the
// line, and never a value that was rendered.
package secrettemplate
