/** As the gateway asks; it decides, this only says so before the request. */
export const PASSWORD_MIN = 8;
