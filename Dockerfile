# syntax=docker/dockerfile:1
# One image for every role: `docker run … --roles api`, `docker run … migrate`.
# With the driver of SQL Server: docker build --build-arg SQLSERVER=true .

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source
ARG SQLSERVER=false
# The restore is a layer of its own, which only a change of these files makes again.
COPY global.json nuget.config Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY .config/dotnet-tools.json .config/
COPY src/Contracts/Contracts.csproj src/Contracts/packages.lock.json src/Contracts/packages.sqlserver.lock.json src/Contracts/
COPY src/Engine/Engine.csproj src/Engine/packages.lock.json src/Engine/packages.sqlserver.lock.json src/Engine/
COPY src/Engine.SqlServer/Engine.SqlServer.csproj src/Engine.SqlServer/packages.lock.json src/Engine.SqlServer/packages.sqlserver.lock.json src/Engine.SqlServer/
COPY src/Consumers/Consumers.csproj src/Consumers/packages.lock.json src/Consumers/packages.sqlserver.lock.json src/Consumers/
COPY src/Scheduler/Scheduler.csproj src/Scheduler/packages.lock.json src/Scheduler/packages.sqlserver.lock.json src/Scheduler/
COPY src/Client/Client.csproj src/Client/packages.lock.json src/Client/packages.sqlserver.lock.json src/Client/
COPY src/Api/Api.csproj src/Api/packages.lock.json src/Api/packages.sqlserver.lock.json src/Api/
RUN dotnet restore src/Api/Api.csproj --locked-mode -p:SqlServer=$SQLSERVER
COPY src/ src/
RUN dotnet publish src/Api/Api.csproj --configuration Release --no-restore -p:SqlServer=$SQLSERVER -p:Sbom=true --output /app

# No shell and no package manager; "extra" has the time zones that schedules name.
FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled-extra
LABEL org.opencontainers.image.title="TaskQueue" \
      org.opencontainers.image.description="A durable distributed task queue" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /app/ ./
# --urls says where to listen; the base image's own idea of it would only be warned about.
ENV ASPNETCORE_HTTP_PORTS=""
EXPOSE 8080 9090
USER 1654:1654
ENTRYPOINT ["/app/taskqueue"]
