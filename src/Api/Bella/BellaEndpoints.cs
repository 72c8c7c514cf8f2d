namespace TaskQueue.Api.Bella;

internal static class BellaEndpoints
{
    public static IServiceCollection AddBella(this IServiceCollection services) => services;

    public static void MapBella(this WebApplication app)
    {
    }
}
