using System.Collections.Concurrent;

namespace TaskQueue.Storage;

/// <summary>The supported databases. The host registers them before it reads the configuration.</summary>
public static class StorageProviders
{
    private static readonly ConcurrentDictionary<DatabaseProvider, IStorageProvider> Registered = new();

    /// <summary>Registers providers. Idempotent.</summary>
    public static void Register(params IReadOnlyList<IStorageProvider> providers)
    {
        foreach (var provider in providers)
            Registered[provider.Provider] = provider;
    }

    /// <summary>Returns the provider of a database.</summary>
    /// <exception cref="FormatException">The host has not registered it.</exception>
    public static IStorageProvider Of(DatabaseProvider provider) =>
        Registered.GetValueOrDefault(provider)
            ?? throw new FormatException($"ConnectionStrings:TaskQueue names a database of {provider}, which this program does not "
                + "support.");
}
