using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using TaskQueue.Adapters.Agent;
using TaskQueue.Adapters.Bella;
using TaskQueue.Adapters.Moab;
using TaskQueue.Adapters.OpenAI.Batches;
using TaskQueue.Adapters.OpenAI.Files;
using TaskQueue.Adapters.OpenAI.Models;
using TaskQueue.Adapters.OpenAI.Online;
using TaskQueue.Api.Audit;
using TaskQueue.Api.Batches;
using TaskQueue.Api.Bulk;
using TaskQueue.Api.Events;
using TaskQueue.Api.Failures;
using TaskQueue.Api.Keys;
using TaskQueue.Api.Logs;
using TaskQueue.Api.Maintenance;
using TaskQueue.Api.Operations;
using TaskQueue.Api.Quarantine;
using TaskQueue.Api.Queues;
using TaskQueue.Api.Quotas;
using TaskQueue.Api.Schedules;
using TaskQueue.Api.Statistics;
using TaskQueue.Api.Tasks;
using TaskQueue.Api.Webhooks;
using TaskQueue.Api.Workers;
using TaskQueue.Bus;
using TaskQueue.Bus.Connection;
using TaskQueue.Client;
using TaskQueue.Consumers;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Replies;
using TaskQueue.Http.Adapters;
using TaskQueue.Http.Auth;
using TaskQueue.Scheduler;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Storage.SqlServer;
using TaskQueue.WebConsole.Hosting;
using TaskQueue.WebConsole.Overview;

namespace TaskQueue.Api.Hosting;

/// <summary>Command line options; they override the configuration.</summary>
internal sealed record ServerOptions(string? Roles, string? Urls);

/// <summary>Composes a process from its roles.</summary>
internal static partial class Server
{
    public static WebApplication Build(ServerOptions options, Action<WebApplicationBuilder>? configure = null)
    {
        StorageProviders.Register(new SqliteProvider(), new PostgresProvider(), new SqlServerProvider());
        var builder = WebApplication.CreateSlimBuilder();
        configure?.Invoke(builder);
        var configuration = builder.Configuration;
        KeysFile.AddTo(configuration);
        ConfigurationKeys.Demand(configuration);
        ConfigurationKeys.DemandTimeSpans(configuration);
        var roles = RoleList.Parse(options.Roles ?? configuration["TaskQueue:Roles"]);
        var folder = DataFolder.Of(configuration);
        var database = DatabaseAddress.Parse(
            configuration.GetConnectionString("TaskQueue") ?? folder.ConnectionString, configuration["TaskQueue:Provider"]);
        var bus = ReadBus(configuration);
        Demand(roles, database, bus);
        var addresses = ListenAddresses.Read(options.Urls, configuration);
        Listen(builder, addresses);
        builder.AddLogs();
        builder.Services.AddSingleton(folder).AddSingleton(addresses).AddSingleton<SqliteLock>();
        builder.Services.AddOptions<HostOptions>()
            .Configure<IOptions<DrainOptions>>((host, drain) => host.ShutdownTimeout = drain.Value.Longest);
        var self = ReplyAddressOf(addresses.All[0].Binding);
        builder.Services.AddSingleton(self);
        builder.Services.AddTaskQueue(database, bus, [.. BusRoles(roles, bus, self)]);
        if (roles != Roles.Consumers)
            builder.Services.AddTaskQueueMaintenance();
        if (roles.HasFlag(Roles.Scheduler))
            builder.Services.AddTaskQueueScheduler();
        if (roles.HasFlag(Roles.Consumers))
            AddConsumers(builder);
        builder.Services.AddHostedService<DrainService>();
        builder.Services.AddTaskRpcs().AddWorkerRpcs();
        builder.Services.AddHttp().AddOperations().AddTelemetry(configuration, roles, self.Name).AddBella().AddBatches().AddOnline()
            .AddMoab();
        builder.Services.AddGrpcHealth(needsBus: roles != Roles.Api);

        if (roles.HasFlag(Roles.Api) && ConsoleRegistration.IsOn(configuration))
            builder.Services.AddWebConsole(configuration).AddSingleton<IOverviewSource, OverviewJobs>();

        var app = builder.Build();
        Map(app, roles);
        return app;
    }

    private static void Listen(WebApplicationBuilder builder, ListenAddresses addresses)
    {
        var certificates = new ServerCertificates([.. addresses.Each], builder.Configuration);
        builder.Services.AddSingleton(certificates).AddHostedService<CertificateWatch>();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => ConfigureKestrel(kestrel, addresses, certificates, builder.Configuration))
            .UseSockets(ServerLimits.Apply);
        builder.WebHost.UseUrls([.. addresses.AreKestrels ? [] : addresses.Each.Select(a => a.Url)]);
        builder.Services.AddSingleton(OperationsPort.Of(addresses.Operations)).AddSingleton(GrpcPort.Of(addresses.Grpc));
    }

    private static void AddConsumers(WebApplicationBuilder builder)
    {
        builder.Services.AddTaskQueueConsumers();
        if (builder.Configuration.GetValue("TaskQueue:Kubernetes:DeletionCost", defaultValue: true))
            builder.Services.AddTaskQueueDeletionCost(ConsumersRole.RunningTasks);
    }

    private static IEnumerable<BusRole> BusRoles(Roles roles, BusAddress bus, ReplyAddress self)
    {
        if (roles.HasFlag(Roles.Consumers))
            yield return ConsumersRole.Bus;
        if (roles.HasFlag(Roles.Api) && bus.RabbitMq is not null)
            yield return BellaBusEventConsumer.Role(self);
    }

    /// <summary>The process's listen address as seen by bella's workers, with a suffix unique to this process instance.</summary>
    private static ReplyAddress ReplyAddressOf(BindingAddress address)
    {
        return new ReplyAddress($"{address.Host.Trim('[', ']')}:{address.Port}-{RandomNumberGenerator.GetHexString(12, lowercase: true)}");
    }

    /// <summary>Logs the roles and addresses of the process before it serves.</summary>
    public static void Announce(WebApplication app, ServerOptions options)
    {
        var roles = RoleList.Parse(options.Roles ?? app.Configuration["TaskQueue:Roles"]);
        LogRoles(app.Logger, roles, app.Services.GetRequiredService<DatabaseAddress>(), app.Services.GetRequiredService<BusAddress>());
        if (!app.Services.GetRequiredService<ApiKeyStore>().IsOn)
            LogLoopback(app.Logger);
        if (app.Configuration[OperationsPort.Key] is { Length: > 0 } operations)
            LogOperations(app.Logger, operations);
    }

    /// <summary>Logs, once it serves, where the process is reached, and a request to try.</summary>
    public static void SayReady(WebApplication app, ServerOptions options)
    {
        var url = app.Urls.FirstOrDefault() ?? "";
        var database = app.Services.GetRequiredService<DatabaseAddress>();
        if (!RoleList.Parse(options.Roles ?? app.Configuration["TaskQueue:Roles"]).HasFlag(Roles.Api))
        {
            LogReady(app.Logger, url, database);
            return;
        }

        var key = app.Services.GetRequiredService<ApiKeyStore>().IsOn ? "-H \"Authorization: Bearer $TASKQUEUE_KEY\" " : "";
        LogTry(app.Logger, url, database,
            $$$"""curl {{{key}}}{{{url}}}/tasks -d '{"action":"uppercase","data":{"text":"hello world"}}'""");
    }

    /// <summary>Logs that the process did not shut down cleanly.</summary>
    public static void SayLate(WebApplication app) => LogLate(app.Logger);

    private static void Map(WebApplication app, Roles roles)
    {
        app.UseHttp();
        app.MapOperations(needsBus: roles != Roles.Api);
        app.MapRoot(roles, ConsoleRegistration.IsOn(app.Configuration));
        if (roles.HasFlag(Roles.Api))
            MapApis(app);
        app.MapGrpcHealth();
        app.DemandScopes();
    }

    private static void MapApis(WebApplication app)
    {
        app.MapTasks();
        app.MapTaskRpcs();
        app.MapWhy();
        app.MapLogs();
        app.MapFailures();
        app.MapBulkOperations();
        app.MapWorkers();
        app.MapWorkerRpcs();
        app.MapQueues();
        app.MapSchedules();
        app.MapScheduleLists();
        app.MapQuarantine();
        app.MapMaintenance();
        app.MapKeys();
        app.MapAudit();
        app.MapBella();
        app.MapCallbacks();
        app.MapNativeBatches();
        app.MapFiles();
        app.MapUploads();
        app.MapBatches();
        app.MapModels();
        app.MapOnline();
        app.MapMoab();
        app.MapAgent();
        app.MapEvents();
        app.MapWebhooks();
        app.MapQuotas();
        app.MapStatistics();
        foreach (var adapter in app.Services.GetServices<IHttpAdapter>())
            adapter.Map(app);
        if (ConsoleRegistration.IsOn(app.Configuration))
            app.MapWebConsole();
    }

    private static void ConfigureKestrel(KestrelServerOptions kestrel, ListenAddresses addresses, ServerCertificates certificates,
        IConfiguration configuration)
    {
        kestrel.AddServerHeader = false;
        ServerLimits.Apply(kestrel);
        var drain = kestrel.ApplicationServices.GetRequiredService<Drain>();
        var timeout = kestrel.Limits.KeepAliveTimeout;
        // TLS negotiates the protocol, and waits for a client less long.
        var plain = addresses.Each.Where(a => !a.IsHttps).Select(a => a.Binding.Port).ToHashSet();
        kestrel.ConfigureEndpointDefaults(endpoint =>
        {
            endpoint.Use(next => connection => ServeAsync(next, connection, drain));
            if (endpoint.IPEndPoint is not { } address || plain.Contains(address.Port))
                endpoint.Use(next => new Http2Preface(next, timeout).ServeAsync);
        });
        certificates.Configure(kestrel, configuration);
        if (addresses.AreKestrels) // Kestrel ignores urls when endpoints are configured
            addresses.Special.ToList().ForEach(address => Listen(kestrel, address));
    }

    private static void Listen(KestrelServerOptions kestrel, ListenAddress address)
    {
        void Shape(ListenOptions endpoint)
        {
            if (address.IsHttps)
                endpoint.UseHttps();
        }

        if (IPAddress.TryParse(address.Binding.Host.Trim('[', ']'), out var ip))
            kestrel.Listen(ip, address.Binding.Port, Shape);
        else if (address.Binding.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            kestrel.ListenLocalhost(address.Binding.Port, Shape);
        else
            kestrel.ListenAnyIP(address.Binding.Port, Shape);
    }

    /// <summary>Serves a connection; an endless request must not keep the process from stopping.</summary>
    private static async Task ServeAsync(ConnectionDelegate next, ConnectionContext connection, Drain drain)
    {
        await using var cut = drain.Cut.UnsafeRegister(c => ((ConnectionContext)c!).Abort(), connection);
        await next(connection);
    }

    private static BusAddress ReadBus(ConfigurationManager configuration)
    {
        var address = ParseRabbitMq(configuration.GetConnectionString("RabbitMq"));
        var tls = configuration.GetSection("TaskQueue:RabbitMq:Tls").Get<BrokerTls>() ?? new BrokerTls();
        return tls.ProblemWith(address) is { } problem ? throw new StartupException($"TaskQueue:RabbitMq:Tls {problem}")
            : new BusAddress(address) { Tls = tls };
    }

    private static Uri? ParseRabbitMq(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps" && uri.Host.Length > 0
            ? uri
            : throw new StartupException("ConnectionStrings:RabbitMq is not of the form amqp://user:password@host:5672/vhost.");
    }

    private static void Demand(Roles roles, DatabaseAddress database, BusAddress bus)
    {
        if (roles == Roles.All)
            return;
        if (database.Provider == DatabaseProvider.Sqlite)
            throw new StartupException("TaskQueue:Roles selects some of the roles, but a SQLite file serves one process with all of "
                + "them; set ConnectionStrings:TaskQueue to PostgreSQL or SQL Server.");
        if (bus.RabbitMq is null)
            throw new StartupException("TaskQueue:Roles selects some of the roles, but the in-process bus serves one process with all "
                + "of them; set ConnectionStrings:RabbitMq.");
    }

    [LoggerMessage(LogLevel.Information, "TaskQueue roles {Roles} on {Database}, bus {Bus}")]
    private static partial void LogRoles(ILogger logger, Roles roles, DatabaseAddress database, BusAddress bus);

    [LoggerMessage(LogLevel.Information, "Ready at {Url} on {Database}")]
    private static partial void LogReady(ILogger logger, string url, DatabaseAddress database);

    [LoggerMessage(LogLevel.Information, "Ready at {Url} on {Database}; try: {Example}")]
    private static partial void LogTry(ILogger logger, string url, DatabaseAddress database, string example);

    [LoggerMessage(LogLevel.Warning, "Shutdown timed out; other processes take over unfinished work when its leases expire")]
    private static partial void LogLate(ILogger logger);

    [LoggerMessage(LogLevel.Information, "No API keys are configured: listening on loopback only")]
    private static partial void LogLoopback(ILogger logger);

    [LoggerMessage(LogLevel.Information, "Operations endpoints listen on {Urls}")]
    private static partial void LogOperations(ILogger logger, string urls);
}
