using System.Net;
using TaskQueue.Api.Operations;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Api.Hosting;

/// <summary>What an address to listen on must be like.</summary>
internal static class ListenAddresses
{
    /// <param name="urls">Where everything is served.</param>
    /// <param name="operations">Where operators ask, or null.</param>
    /// <param name="configuration">What else is set.</param>
    /// <exception cref="StartupException">One of them cannot be.</exception>
    public static void Demand(string urls, string? operations, ConfigurationManager configuration)
    {
        var auth = new AuthOptions();
        configuration.GetSection("TaskQueue:Auth").Bind(auth);
        if (configuration.GetSection("Kestrel:Endpoints").Exists())
            throw new StartupException("Kestrel:Endpoints is set, and would take the place of urls, which alone says where to listen; remove it.");
        var ports = urls.Split(';').Select(url => Parse("urls", url, auth.IsOn).Port).ToHashSet();
        foreach (var url in operations?.Split(';') ?? [])
        {
            // Requests are told apart by the port that they come in at.
            var port = Parse(OperationsPort.Key, url, auth.IsOn).Port;
            if (port == 0)
                throw new StartupException($"{OperationsPort.Key}: '{url}' must say which port; a free one (0) is for urls only.");
            if (ports.Contains(port))
                throw new StartupException($"{OperationsPort.Key}: port {port} of '{url}' is one of urls already; operations need a port of their own.");
        }
    }

    /// <summary>Without API keys anybody who can connect may do anything, so only this machine may connect.</summary>
    private static BindingAddress Parse(string key, string url, bool isAuthOn)
    {
        BindingAddress address;
        try
        {
            address = BindingAddress.Parse(url);
        }
        catch (FormatException)
        {
            throw new StartupException($"{key}: '{url}' is not of the form http://localhost:8080.");
        }

        // A free port (0) can be had for an address only, not for a name with several addresses.
        if (address.Scheme != Uri.UriSchemeHttp || address.Port > ushort.MaxValue || address.PathBase.Length > 0 || address is { Port: 0, Host: "localhost" })
            throw new StartupException($"{key}: '{url}' is not of the form http://localhost:8080.");
        var isLoopback = address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
        return isLoopback || isAuthOn
            ? address
            : throw new StartupException($"{key}: '{url}' is not a loopback address; without API keys (TaskQueue:Auth:ApiKeys) the server listens on localhost only.");
    }
}
