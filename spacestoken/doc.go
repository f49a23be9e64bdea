// Package spacestoken gives a Go workload the Avaya Spaces token that the SpacesCredential operator
// keeps in a mounted Secret. It needs the standard library and golang.org/x/oauth2, and no Kubernetes.
//
//	source := spacestoken.New("/var/run/spaces")
//	client := &http.Client{Transport: spacestoken.NewTransport(source), Timeout: 30 * time.Second}
//	url, err := source.APIURL()
//	...
//	response, err := client.Get(url + "/api/users/me")
//
// [Source] is an [golang.org/x/oauth2.TokenSource], for clients that want one. [Transport] is an
// [net/http.RoundTripper] that does more: it keeps the token from other hosts, and a call that is
// refused because the token has just been replaced is sent once more.
//
// # What a mounted Secret does
//
// The kubelet replaces the files of a volume all at once, by renaming a link, seconds or a minute
// after the Secret has changed:
//
//	/var/run/spaces/access_token -> ..data/access_token
//	/var/run/spaces/..data       -> ..2026_11_26_10_00_00.1234567890
//
// So a Source looks where ..data points to before it hands out a token, which costs a system call,
// and reads the files again when that has changed. It reads them all from the folder that the link
// named at first: a token, its type, its end and its URL always belong together. Where there is no
// such link (a folder on a developer's machine) it reads the files as they are, for each call.
//
// The whole Secret must be mounted, without subPath, which the kubelet never updates.
//
// # Promises
//
//   - A token past its end is never handed out: [Source.Token] gives an error then, which names the
//     file, what was found and what to do.
//   - A folder that cannot be read for a moment does no harm while the last token lives.
//   - No token is logged, printed, or part of an error. Neither a Source nor a Transport shows one in
//     any verb of fmt. The [golang.org/x/oauth2.Token] that a Source gives is not ours, and does.
//   - All methods are safe for concurrent use, and nothing runs in the background.
package spacestoken
