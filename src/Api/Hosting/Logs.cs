using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Logging.Console;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Logs go to the console, one line each; <c>Logging:Console:FormatterName=json</c> makes them JSON, and
/// <c>Logging:LogLevel:…</c> sets levels, as in every ASP.NET Core program.
/// </summary>
internal static class Logs
{
    private static readonly Dictionary<string, string?> Defaults = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore"] = "Warning",
        // A warning that a statement of a migration runs outside of a transaction, which is meant.
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Migrations"] = "Error",
        // EF Core logs errors that callers handle, such as a missing migration history.
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Database.Command"] = "None",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Database.Connection"] = "None",
        // Likewise each failing query of an outage, which is logged once elsewhere.
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Query"] = "None",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Update"] = "None",
        // Reported by /health/ready; each probe would repeat it here.
        ["Logging:LogLevel:Microsoft.Extensions.Diagnostics.HealthChecks"] = "None",
        // A client's malformed message is an error there; failures of the server are logged where RPCs are handled.
        ["Logging:LogLevel:Grpc"] = "None",
        // MassTransit logs every failed command and connection attempt; BusFaultLog and DependencyHealth log bus failures once.
        ["Logging:LogLevel:MassTransit"] = "None",
        // Hangfire's warnings are about runs it retries; MaintenanceRunner and GET /maintenance report failures.
        ["Logging:LogLevel:Hangfire"] = "Error",
        ["Logging:Console:FormatterOptions:SingleLine"] = "true",
        ["Logging:Console:FormatterOptions:UseUtcTimestamp"] = "true",
        ["Logging:Console:FormatterOptions:TimestampFormat"] = "yyyy-MM-ddTHH:mm:ss.fffZ ",
    };

    public static void AddLogs(this WebApplicationBuilder builder)
    {
        var formatter = builder.Configuration["Logging:Console:FormatterName"] ?? ConsoleFormatterNames.Simple;
        var defaults = new Dictionary<string, string?>(Defaults);
        // Scopes name the task, attempt and trace of a line; the single-line text format has no room for them.
        if (formatter.Equals(ConsoleFormatterNames.Json, StringComparison.OrdinalIgnoreCase))
            defaults["Logging:Console:FormatterOptions:IncludeScopes"] = "true";
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = defaults });
        // At Information it logs the URL of every request, which may contain the key of a bella client.
        builder.Logging.ClearProviders().AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning)
            .AddConsole(o => o.FormatterName = formatter); // overrides the builder's default formatter
        PlainConsole.AddTo(builder.Services);
    }
}
