# The image of make image, for those who have Docker: docker build --build-arg VERSION=v0.1.0 .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH VERSION=unreleased
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /spaces-credential-operator .

FROM scratch
LABEL org.opencontainers.image.title="spaces-credential-operator" \
      org.opencontainers.image.description="Keeps Avaya Spaces access tokens fresh in Kubernetes Secrets" \
      org.opencontainers.image.source="https://github.com/spaces-operator/spaces-credential-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /spaces-credential-operator /spaces-credential-operator
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/spaces-credential-operator"]
