# The gateway alone in an image (the default), or the simulated iQmetrix beside it:
#   docker build -t iqgateway --build-arg VERSION=1.2.3 .
#   docker build -t iqsim --target iqsim .
FROM golang:1.27.4-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# Static, as make build makes it: nothing of the image is needed to run.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
RUN go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./cmd/...
# What may be written to: data_dir, and temporary files of gateway demo.
RUN mkdir -p -m 0700 /image/var/lib/iqgateway && mkdir -m 1777 /image/tmp

FROM scratch AS iqsim
ENV PATH=/usr/local/bin
COPY --from=build /out/iqsim /usr/local/bin/iqsim
USER 65532:65532
EXPOSE 19900
ENTRYPOINT ["iqsim"]

FROM scratch AS gateway
ARG VERSION=dev
LABEL org.opencontainers.image.title="iqgateway" \
      org.opencontainers.image.description="Egress gateway for the iQmetrix APIs" \
      org.opencontainers.image.version="${VERSION}"
ENV PATH=/usr/local/bin
# The authorities that upstreams are checked against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/gateway /usr/local/bin/gateway
COPY --from=build --chown=65532:65532 /image/ /
VOLUME /var/lib/iqgateway
USER 65532:65532
EXPOSE 8443 9091
# By the admin server, on loopback in the container; where admin.address is another
# one, set it as IQGW_ADMIN__ADDRESS. Kubernetes has probes instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["gateway", "healthcheck"]
ENTRYPOINT ["gateway"]
CMD ["run", "-c", "/etc/iqgateway/gateway.yaml"]
