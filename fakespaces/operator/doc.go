// Package operator brings the SpacesCredential operator into an envtest suite of another module: the folder
// of its CRD, its binary, and a process of it beside a control plane. Go and a control plane are all
// it needs; it imports the standard library alone, so that it lifts no dependency of yours.
//
//	installed, err := operator.Find(ctx)
//	environment := &envtest.Environment{CRDDirectoryPaths: []string{installed.CRDs}, ErrorIfCRDPathMissing: true}
//	config, err := environment.Start()
//	...
//	binary, err := installed.Binary(ctx, folder)
//	process, err := operator.Start(ctx, operator.Settings{Binary: binary, Folder: folder, Kubeconfig: environment.KubeConfig, SpacesURL: server.URL})
//	...
//	err = process.Stop()
//
// A SpacesCredential then names the environment local. The module fakespaces/example is a whole suite.
package operator
