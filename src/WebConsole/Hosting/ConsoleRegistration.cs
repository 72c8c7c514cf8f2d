using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.DependencyInjection.Extensions;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.WebConsole.Files;
using TaskQueue.WebConsole.Overview;
using TaskQueue.WebConsole.Sessions;
using TaskQueue.WebConsole.SignIn;

namespace TaskQueue.WebConsole.Hosting;

/// <summary>The web console, as part of a process with the role api.</summary>
internal static class ConsoleRegistration
{
    private const string Section = "TaskQueue:Console";

    /// <summary>Whether a process serves the console.</summary>
    public static bool IsOn(IConfiguration configuration) => Read(configuration).Enabled;

    /// <summary>Registers the console's services.</summary>
    /// <exception cref="StartupException">Settings contradict each other.</exception>
    public static IServiceCollection AddWebConsole(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<ConsoleOptions>().BindConfiguration(Section).ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton<IConsoleBundle, EmbeddedBundle>();
        services.AddSingleton<ConsoleFiles>().AddSingleton<SessionCookies>().AddSingleton<CallerSessions>()
            .AddSingleton<ICallerSessions>(sp => sp.GetRequiredService<CallerSessions>());
        services.AddSingleton<OverviewHealthReader>().AddSingleton<OverviewCounts>().AddSingleton<OverviewFeed>()
            .AddSingleton<OverviewStreams>();
        AddSessionKeys(services);
        var oidc = Read(configuration).Oidc;
        if (!oidc.IsOn || oidc.Problem is not null)
            return services; // the validation of the options reports the problem
        var auth = new AuthOptions();
        configuration.GetSection("TaskQueue:Auth").Bind(auth);
        if (!auth.IsOn)
            throw new StartupException($"{Section}:Oidc is set, but the server has no keys and lets everybody in; set "
                + "TaskQueue:Auth:ApiKeys, KeysFile or Jwt too.");
        services.AddOidcSignIn(oidc);
        return services;
    }

    /// <summary>Maps the console's routes.</summary>
    public static void MapWebConsole(this WebApplication app)
    {
        // Only the sign-in's own route uses the scheme; by default every request would look for it.
        ((IApplicationBuilder)app).Properties["__AuthenticationMiddlewareSet"] = true;
        app.MapSessions();
        app.MapOverview();
        if (Read(app.Configuration).Oidc.IsOn)
            app.MapOidcSignIn();
        app.MapConsoleFiles();
    }

    private static void AddSessionKeys(IServiceCollection services)
    {
        services.AddDataProtection().SetApplicationName("taskqueue");
        services.AddSingleton<SessionKeys>().AddOptions<KeyManagementOptions>().Configure<SessionKeys>((options, keys) =>
        {
            options.XmlRepository = keys;
            options.XmlEncryptor = new StorageEncrypts();
        });
        // It would read the keys at each start; the first session does.
        foreach (var preload in services.Where(s => s.ImplementationType?.Name == "DataProtectionHostedService").ToList())
            services.Remove(preload);
    }

    private static ConsoleOptions Read(IConfiguration configuration) =>
        configuration.GetSection(Section).Get<ConsoleOptions>() ?? new ConsoleOptions();
}
