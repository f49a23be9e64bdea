// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// SecretTemplate shapes the published Secret.
type SecretTemplate struct {
	// type of the published Secret. Absent means Opaque. It cannot be changed.
	// Types under kubernetes.io/, bootstrap.kubernetes.io/, helm.sh/ and
	// auth.spaces-operator.io/ have meanings of their own and are refused.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$')`,message="a Secret's type has only letters, digits, '-', '_', '.' and '/', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^(kubernetes[.]io|bootstrap[.]kubernetes[.]io|helm[.]sh|auth[.]spaces-operator[.]io)/')`,message="types under kubernetes.io/, bootstrap.kubernetes.io/, helm.sh/ and auth.spaces-operator.io/ are reserved"
	Type string `json:"type,omitempty"`

	// labels are put on the published Secret, at most 32. Those under
	// kubernetes.io/, k8s.io/, helm.sh/, auth.spaces-operator.io/ and their
	// subdomains, argocd.argoproj.io/ and sealedsecrets.bitnami.com/ are refused,
	// but for app.kubernetes.io/; app.kubernetes.io/managed-by is the operator's.
	// Whoever runs the operator may deny more, which shows as reason
	// SecretForbidden.
	// +optional
	Labels Labels `json:"labels,omitempty"`

	// annotations are put on the published Secret, at most 32 of at most 4096
	// characters. The same ones are refused as for labels, but for
	// argocd.argoproj.io/sync-options and argocd.argoproj.io/compare-options,
	// which keep Argo CD from deleting a retained Secret.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule=`self.all(k, !format.qualifiedName().validate(k).hasValue())`,message="an annotation's key is a name, or a DNS name, '/' and a name; a name has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule=`self.all(k, k.startsWith('app.kubernetes.io/') || k in ['argocd.argoproj.io/sync-options', 'argocd.argoproj.io/compare-options'] || !k.matches('^([^/]+[.])?(kubernetes[.]io|k8s[.]io|helm[.]sh|auth[.]spaces-operator[.]io)/|^(argocd[.]argoproj[.]io|sealedsecrets[.]bitnami[.]com)/'))`,message="annotations under kubernetes.io/, k8s.io/, helm.sh/, auth.spaces-operator.io/ and their subdomains, argocd.argoproj.io/ and sealedsecrets.bitnami.com/ are reserved (app.kubernetes.io/ is free)"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// formats adds ready-made keys, a set: JSON adds token.json, Dotenv adds
	// token.env, Curl adds curl.conf with the Authorization header. By default
	// none is added.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Formats []SecretFormat `json:"formats,omitempty"`

	// data adds keys of your own, at most 32, each from a template.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	Data []SecretTemplateEntry `json:"data,omitempty"`
}

// Labels are labels of Secrets that are made for a SpacesCredential, at most
// 32. Those that have a meaning of their own are refused.
//
// +kubebuilder:validation:MaxProperties=32
// +kubebuilder:validation:XValidation:rule=`self.all(k, !format.qualifiedName().validate(k).hasValue())`,message="a label's key is a name, or a DNS name, '/' and a name; a name has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
// +kubebuilder:validation:XValidation:rule=`self.all(k, k.startsWith('app.kubernetes.io/') || !k.matches('^([^/]+[.])?(kubernetes[.]io|k8s[.]io|helm[.]sh|auth[.]spaces-operator[.]io)/|^(argocd[.]argoproj[.]io|sealedsecrets[.]bitnami[.]com)/'))`,message="labels under kubernetes.io/, k8s.io/, helm.sh/, auth.spaces-operator.io/ and their subdomains, argocd.argoproj.io/ and sealedsecrets.bitnami.com/ are reserved (app.kubernetes.io/ is free)"
// +kubebuilder:validation:XValidation:rule=`!('app.kubernetes.io/managed-by' in self)`,message="the label app.kubernetes.io/managed-by is set by the operator"
type Labels map[string]LabelValue

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule=`!format.labelValue().validate(self).hasValue()`,message="a label's value has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
type LabelValue string

// AnnotationValue is the value of an annotation.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// SecretFormat is a ready-made extra key of the published Secret.
//
// +kubebuilder:validation:Enum=JSON;Dotenv;Curl
type SecretFormat string

const (
	// SecretFormatJSON adds token.json: the operator's keys as one JSON object.
	SecretFormatJSON SecretFormat = "JSON"

	// SecretFormatDotenv adds token.env: the operator's keys as shell variables.
	SecretFormatDotenv SecretFormat = "Dotenv"

	// SecretFormatCurl adds curl.conf: the Authorization header for curl
	// --config.
	SecretFormatCurl SecretFormat = "Curl"
)

// SecretTemplateEntry adds one key to the published Secret.
type SecretTemplateEntry struct {
	// key to add. Keys of lower-case letters, digits and underscores that begin
	// with a letter are the operator's own, now and later, and token.json,
	// token.env and curl.conf belong to the formats: a dot, a dash or a capital
	// makes a key yours, as in client.toml.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$') && self != '.' && !self.startsWith('..')`,message="a key of a Secret has only letters, digits, '-', '_' and '.', and does not begin with '..'"
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^[a-z][a-z0-9_]*$')`,message="keys of lower-case letters, digits and underscores are reserved for the operator: use a dot, a dash or a capital, as in client.toml"
	// +kubebuilder:validation:XValidation:rule=`!(self in ['token.json', 'token.env', 'curl.conf'])`,message="token.json, token.env and curl.conf are written by the formats: list JSON, Dotenv or Curl under formats, or choose another key"
	Key string `json:"key"`

	// template is what the key holds, in the syntax of Go templates without
	// range, define, block and template. Fields: .AccessToken, .TokenType,
	// .Authorization, .ExpiresAt, .Scope, .APIURL, .SocketURL, .IDToken,
	// .Identity. At most 8 KiB; what comes out at most 64 KiB, and 512 KiB for
	// all keys together. What cannot be parsed shows as reason TemplateInvalid
	// before anything is asked of the service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Template string `json:"template"`
}
