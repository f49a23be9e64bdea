// Package monitoring tests what people look at and are woken by: the rules, the dashboard and the
// pages of config/prometheus and docs. It is a module of its own, so that its dependencies never
// lift one of the operator.
package monitoring
