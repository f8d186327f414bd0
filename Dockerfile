# A static lanyardctl in an image that holds nothing else: docker build -t lanyardctl .
# docs/docker.md tells how to use it. What is copied here is checked by internal/imagetest, which builds the same root
# file system without a container engine.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -ldflags='-s -w' -o lanyardctl ./cmd/lanyardctl
# Whoever runs the container may write here, whatever number --user gives them. /tmp is for dry runs and large sweeps.
RUN mkdir -p root/tmp root/data && chmod 1777 root/tmp root/data

FROM scratch
COPY --from=build /src/root/ /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/lanyardctl /usr/local/bin/lanyardctl
ENV PATH=/usr/local/bin
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/lanyardctl"]
CMD ["--help"]
