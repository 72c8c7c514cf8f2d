# syntax=docker/dockerfile:1
# One image for every role: `docker run … --roles api`, `docker run … migrate`.

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source
# The restore is a layer of its own, which only a change of these files makes again.
COPY global.json nuget.config Directory.Build.props Directory.Packages.props Package.props BannedSymbols.txt .editorconfig ./
COPY .config/dotnet-tools.json .config/
COPY src/Http/Web.props src/Http/
COPY src/Adapters/Directory.Build.props src/Adapters/
COPY src/Adapters/Agent/Adapters.Agent.csproj src/Adapters/Agent/packages.lock.json src/Adapters/Agent/
COPY src/Adapters/Bella/Adapters.Bella.csproj src/Adapters/Bella/packages.lock.json src/Adapters/Bella/
COPY src/Adapters/Moab/Adapters.Moab.csproj src/Adapters/Moab/packages.lock.json src/Adapters/Moab/
COPY src/Adapters/OpenAI/Adapters.OpenAI.csproj src/Adapters/OpenAI/packages.lock.json src/Adapters/OpenAI/
COPY src/Api/Api.csproj src/Api/packages.lock.json src/Api/
COPY src/Bus/Bus.csproj src/Bus/packages.lock.json src/Bus/
COPY src/Client.Kubernetes/Client.Kubernetes.csproj src/Client.Kubernetes/packages.lock.json src/Client.Kubernetes/
COPY src/Client.RabbitMq/Client.RabbitMq.csproj src/Client.RabbitMq/packages.lock.json src/Client.RabbitMq/
COPY src/Client/Client.csproj src/Client/packages.lock.json src/Client/
COPY src/Consumers/Consumers.csproj src/Consumers/packages.lock.json src/Consumers/
COPY src/Contracts/Contracts.csproj src/Contracts/packages.lock.json src/Contracts/
COPY src/Engine/Engine.csproj src/Engine/packages.lock.json src/Engine/
COPY src/Http/Http.csproj src/Http/packages.lock.json src/Http/
COPY src/Scheduler/Scheduler.csproj src/Scheduler/packages.lock.json src/Scheduler/
COPY src/Storage.Postgres/Storage.Postgres.csproj src/Storage.Postgres/packages.lock.json src/Storage.Postgres/
COPY src/Storage.S3/Storage.S3.csproj src/Storage.S3/packages.lock.json src/Storage.S3/
COPY src/Storage.SqlServer/Storage.SqlServer.csproj src/Storage.SqlServer/packages.lock.json src/Storage.SqlServer/
COPY src/Storage.Sqlite/Storage.Sqlite.csproj src/Storage.Sqlite/packages.lock.json src/Storage.Sqlite/
COPY src/Storage/Storage.csproj src/Storage/packages.lock.json src/Storage/
COPY src/WebConsole/WebConsole.csproj src/WebConsole/packages.lock.json src/WebConsole/
RUN dotnet restore src/Api/Api.csproj --locked-mode
COPY LICENSE NOTICE ./
COPY licenses/ licenses/
COPY src/ src/
RUN dotnet publish src/Api/Api.csproj --configuration Release --no-restore -p:Sbom=true --output /app

# No shell and no package manager; "extra" has the time zones that schedules name, and the ICU that the driver of SQL Server needs.
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
