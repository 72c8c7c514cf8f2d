using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary><c>TaskQueue:TrustedProxies</c>: addresses and networks whose <c>X-Forwarded-For</c> and
/// <c>X-Forwarded-Proto</c> are trusted.</summary>
internal static class TrustedProxies
{
    private const string Key = "TaskQueue:TrustedProxies";

    public static void UseTrustedProxies(this WebApplication app)
    {
        var proxies = app.Configuration.GetSection(Key).Get<string[]>() ?? [];
        if (proxies.Length == 0)
            return;
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto, ForwardLimit = null,
        };
        options.KnownIPNetworks.Clear();
        options.KnownProxies.Clear();
        foreach (var proxy in proxies)
        {
            if (IPAddress.TryParse(proxy, out var address))
                options.KnownProxies.Add(address);
            else if (System.Net.IPNetwork.TryParse(proxy, out var network))
                options.KnownIPNetworks.Add(network);
            else
                throw new StartupException($"{Key} has '{proxy}'; it must be an address, or a network such as 10.0.0.0/8.");
        }

        app.UseForwardedHeaders(options);
    }
}
