using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Agent;
using TaskQueue.Api.Auth;
using TaskQueue.Api.Batches;
using TaskQueue.Api.Bella;
using TaskQueue.Api.Events;
using TaskQueue.Api.Files;
using TaskQueue.Api.Http;
using TaskQueue.Api.Moab;
using TaskQueue.Api.Operations;
using TaskQueue.Api.Queues;
using TaskQueue.Api.Schedules;
using TaskQueue.Api.Tasks;
using TaskQueue.Api.Workers;
using TaskQueue.Consumers;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Storage;
using TaskQueue.Scheduler;

namespace TaskQueue.Api.Hosting;

/// <summary>What the command line says; it goes before configuration.</summary>
internal sealed record ServerOptions(string? Roles, string? Urls);

/// <summary>Puts a process together from its roles.</summary>
internal static partial class Server
{
    private const string DefaultUrl = "http://localhost:8080";

    public static WebApplication Build(ServerOptions options, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        configure?.Invoke(builder);
        var configuration = builder.Configuration;
        KeysFile.AddTo(configuration);
        var roles = RoleList.Parse(options.Roles ?? configuration["TaskQueue:Roles"]);
        var database = DatabaseAddress.Parse(configuration.GetConnectionString("TaskQueue") ?? "Data Source=taskqueue.db", configuration["TaskQueue:Provider"]);
        var bus = new BusAddress(ParseRabbitMq(configuration.GetConnectionString("RabbitMq")));
        Demand(roles, database, bus);
        var urls = options.Urls ?? configuration["urls"] ?? DefaultUrl;
        DemandUrls(urls, configuration);

        builder.WebHost.UseUrls(urls.Split(';'));
        builder.WebHost.ConfigureKestrel(ConfigureKestrel);
        builder.AddLogs();
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<DrainOptions>>((host, drain) => host.ShutdownTimeout = drain.Value.Longest);
        var self = ReplyAddressOf(urls);
        builder.Services.AddSingleton(self);
        builder.Services.AddTaskQueueEngine(database, bus, [.. BusRoles(roles, bus, self)]);
        if (roles.HasFlag(Roles.Scheduler))
            builder.Services.AddTaskQueueScheduler();
        if (roles.HasFlag(Roles.Consumers))
            builder.Services.AddTaskQueueConsumers();
        builder.Services.AddHostedService<DrainService>();
        builder.Services.AddSingleton<TaskWaits>();
        builder.Services.AddHttp().AddOperations().AddTelemetry(configuration, roles, self.Name).AddBella().AddBatches().AddMoab();

        var app = builder.Build();
        Map(app, roles);
        return app;
    }

    private static IEnumerable<BusRole> BusRoles(Roles roles, BusAddress bus, ReplyAddress self)
    {
        if (roles.HasFlag(Roles.Consumers))
            yield return ConsumersRole.Bus;
        if (roles.HasFlag(Roles.Api) && bus.RabbitMq is not null)
            yield return BellaBusEventConsumer.Role(self);
    }

    /// <summary>Where the process listens, as bella's workers see it, and a part that no other process and no other life of this one has.</summary>
    private static ReplyAddress ReplyAddressOf(string urls)
    {
        var address = BindingAddress.Parse(urls.Split(';')[0]);
        return new ReplyAddress($"{address.Host.Trim('[', ']')}:{address.Port}-{RandomNumberGenerator.GetHexString(12, lowercase: true)}");
    }

    /// <summary>Says what this process is, once it is about to serve.</summary>
    public static void Announce(WebApplication app, ServerOptions options)
    {
        var roles = RoleList.Parse(options.Roles ?? app.Configuration["TaskQueue:Roles"]);
        LogRoles(app.Logger, roles, app.Services.GetRequiredService<DatabaseAddress>(), app.Services.GetRequiredService<BusAddress>());
        if (!app.Services.GetRequiredService<Keyring>().IsOn)
            LogLoopback(app.Logger);
    }

    /// <summary>Says that this process did not end in good order.</summary>
    public static void SayLate(WebApplication app) => LogLate(app.Logger);

    private static void Map(WebApplication app, Roles roles)
    {
        app.UseHttp();
        app.MapOperations();
        if (roles.HasFlag(Roles.Api))
            MapDoors(app);
        app.DemandScopes();
    }

    private static void MapDoors(WebApplication app)
    {
        app.MapTasks();
        app.MapWorkers();
        app.MapQueues();
        app.MapSchedules();
        app.MapBella();
        app.MapFiles();
        app.MapBatches();
        app.MapMoab();
        app.MapAgent();
        app.MapEvents();
    }

    private static void ConfigureKestrel(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = BodyLimits.Largest;
        var drain = kestrel.ApplicationServices.GetRequiredService<Drain>();
        kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Use(next => connection => ServeAsync(next, connection, drain)));
    }

    /// <summary>A request that never ends must not keep the process from its own end.</summary>
    private static async Task ServeAsync(ConnectionDelegate next, ConnectionContext connection, Drain drain)
    {
        await using var cut = drain.Cut.UnsafeRegister(c => ((ConnectionContext)c!).Abort(), connection);
        await next(connection);
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
            throw new StartupException("TaskQueue:Roles asks for a part of the roles, but a SQLite file serves one process with all of them; set ConnectionStrings:TaskQueue to PostgreSQL.");
        if (bus.RabbitMq is null)
            throw new StartupException("TaskQueue:Roles asks for a part of the roles, but the in-process bus serves one process with all of them; set ConnectionStrings:RabbitMq.");
    }

    /// <summary>Without API keys anybody who can connect may do anything, so only this machine may connect.</summary>
    private static void DemandUrls(string urls, ConfigurationManager configuration)
    {
        var auth = new AuthOptions();
        configuration.GetSection("TaskQueue:Auth").Bind(auth);
        if (configuration.GetSection("Kestrel:Endpoints").Exists())
            throw new StartupException("Kestrel:Endpoints is set, and would take the place of urls, which alone says where to listen; remove it.");
        foreach (var url in urls.Split(';'))
        {
            BindingAddress address;
            try
            {
                address = BindingAddress.Parse(url);
            }
            catch (FormatException)
            {
                throw new StartupException($"urls: '{url}' is not of the form http://localhost:8080.");
            }

            // A free port (0) can be had for an address only, not for a name with several addresses.
            if (address.Scheme != Uri.UriSchemeHttp || address.Port > ushort.MaxValue || address.PathBase.Length > 0 || address is { Port: 0, Host: "localhost" })
                throw new StartupException($"urls: '{url}' is not of the form http://localhost:8080.");
            var isLoopback = address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
                || (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
            if (!isLoopback && !auth.IsOn)
                throw new StartupException($"urls: '{url}' is not a loopback address; without API keys (TaskQueue:Auth:ApiKeys) the server listens on localhost only.");
        }
    }

    [LoggerMessage(LogLevel.Information, "TaskQueue roles {Roles} on {Database}, bus {Bus}")]
    private static partial void LogRoles(ILogger logger, Roles roles, DatabaseAddress database, BusAddress bus);

    [LoggerMessage(LogLevel.Warning, "Not everything ended in time; what was under way is found by others when its lease lapses")]
    private static partial void LogLate(ILogger logger);

    [LoggerMessage(LogLevel.Information, "No API keys are configured: listening on loopback only")]
    private static partial void LogLoopback(ILogger logger);
}
